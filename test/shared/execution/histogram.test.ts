import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Latencies, mergePacked, quantile } from '../../../shared/execution/histogram.ts';

const packedOf = (values: readonly number[]): number[] => {
  const latencies = new Latencies();
  for (const ms of values) latencies.add(ms);
  return latencies.toPacked();
};

/** The value of nearest rank, from the values themselves; ranks as whole numbers of per cent. */
const exact = (values: readonly number[], percent: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil((percent * values.length) / 100)) - 1] ??
  NaN;

/** How far a quantile is from the exact one, as a share of it. */
const errorAt = (percent: number, values: readonly number[]): number => {
  const wanted = exact(values, percent);
  const found = quantile(packedOf(values), percent / 100) ?? NaN;
  return wanted === 0 ? found : Math.abs(found / wanted - 1);
};

/** From under a millisecond to a day, as likely in each order of magnitude. */
const wholeMs = fc
  .tuple(fc.integer({ min: 0, max: 26 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([power, share]) => Math.min(Math.floor(2 ** power * (1 + share)) - 1, 86_400_000));

const times = (n: number, ms: number): number[] => Array.from({ length: n }, () => ms);

describe('a quantile', () => {
  it('case 57: of nothing is null, not NaN', () => {
    expect(quantile([], 0.95)).toBeNull();
    expect(quantile(new Latencies().toPacked(), 0)).toBeNull();
  });

  it('case 58: of one value is that value, within 2 %, for every whole millisecond up to 10 s', () => {
    const values = Array.from({ length: 10_001 }, (_, ms) => ms);
    expect(values.filter((ms) => !(errorAt(95, [ms]) <= 0.02))).toEqual([]);
  });

  it('of one value below 26 ms is exact', () => {
    for (let ms = 0; ms < 26; ms++) expect(quantile(packedOf([ms]), 0.95)).toBe(ms);
  });

  it('case 58: p95 of two far modes is within 2 %, wherever the border between them lies', () => {
    for (let slow = 0; slow <= 100; slow++)
      expect(errorAt(95, [...times(100 - slow, 47), ...times(slow, 3_071)])).toBeLessThan(0.02);
  });

  it('case 58: p95 is that of nearest rank: 1 outlier in 50 is above it, 3 in 50 are not', () => {
    expect(quantile(packedOf([...times(49, 10), 5_000]), 0.95)).toBe(10);
    expect(errorAt(95, [...times(47, 10), ...times(3, 5_000)])).toBeLessThan(0.02);
    expect(quantile(packedOf([...times(47, 10), ...times(3, 5_000)]), 0.95)).toBeGreaterThan(4_900);
  });

  it('case 58: is within 2 % of the exact one for any values, any p', () => {
    fc.assert(
      fc.property(
        fc.array(wholeMs, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 0, max: 100 }),
        (values, percent) => {
          expect(errorAt(percent, values)).toBeLessThanOrEqual(0.02);
        },
      ),
    );
  });

  it('never exceeds its rank by the error of a product', () => {
    const values = [...times(7, 1), ...times(93, 20)];
    expect(quantile(packedOf(values), 0.07)).toBe(1);
    expect(quantile(packedOf(values), 0.08)).toBe(20);
  });

  it('is a whole number of milliseconds where that keeps 2 %', () => {
    for (const ms of [0, 3, 25, 520, 3_000, 86_400_000])
      expect(quantile(packedOf([ms]), 0.95)).toSatisfy(Number.isInteger);
  });
});

describe('adding a latency', () => {
  it.each([
    ['nothing', 0],
    ['less than a millisecond', 0.99],
    ['a clock that ran backwards', -5],
    ['no number', NaN],
  ])('counts %s as 0', (_what, ms) => {
    expect(quantile(packedOf([ms]), 1)).toBe(0);
    expect(packedOf([ms])).toEqual([0, 1]);
  });

  it('drops the fraction of a millisecond', () => {
    expect(packedOf([1.99])).toEqual(packedOf([1]));
  });

  it.each([86_400_001, Infinity])('counts %d as a day', (ms) => {
    expect(packedOf([ms])).toEqual(packedOf([86_400_000]));
  });

  it('counts, and clearing begins anew', () => {
    const latencies = new Latencies();
    for (const ms of [5, 5, 700]) latencies.add(ms);
    expect(latencies.count).toBe(3);
    expect(latencies.toPacked()).toEqual([expect.any(Number), 2, expect.any(Number), 1]);
    latencies.clear();
    expect(latencies.count).toBe(0);
    expect(latencies.toPacked()).toEqual([]);
  });

  it('takes no more room for more values: at most some 480 buckets for all of them', () => {
    const all = packedOf(Array.from({ length: 30_000 }, (_, i) => Math.floor(1.001 ** i)));
    expect(all.length / 2).toBeLessThanOrEqual(483);
  });
});

describe('merging histograms', () => {
  it('case 58: gives the histogram of all values, in whatever order and grouping', () => {
    const some = fc.array(wholeMs, { maxLength: 50 });
    fc.assert(
      fc.property(some, some, some, (a, b, c) => {
        const [packedA, packedB, packedC] = [packedOf(a), packedOf(b), packedOf(c)];
        const all = packedOf([...a, ...b, ...c]);
        expect(mergePacked(mergePacked(packedA, packedB), packedC)).toEqual(all);
        expect(mergePacked(packedC, mergePacked(packedB, packedA))).toEqual(all);
      }),
    );
  });

  it('leaves both as they were, and what is empty changes nothing', () => {
    const a = Object.freeze(packedOf([1, 50]));
    const b = Object.freeze(packedOf([50, 900]));
    expect(mergePacked(a, b)).toEqual(packedOf([1, 50, 50, 900]));
    expect(mergePacked(a, [])).toEqual(a);
    expect(mergePacked([], a)).toEqual(a);
  });
});
