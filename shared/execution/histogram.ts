/**
 * Latencies as counts of logarithmic buckets: `[bucket, count, bucket, count, …]`, ascending by bucket.
 * Histograms add up in any order, and a quantile is within `ACCURACY` of the exact one, however the
 * values are spread. Bucket 0 holds what took less than 1 ms, bucket b the values in (γ^(b-2), γ^(b-1)].
 */
export type PackedLatencies = readonly number[];

/** A little less than the 2 % that is promised, which leaves room for rounding. */
const ACCURACY = 0.019;
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
const BUCKETS_PER_E = 1 / Math.log(GAMMA);
/** What took longer counts as a day. */
const MAX_MS = 86_400_000;

/** @param ms whole and positive */
const bucketOf = (ms: number): number => Math.ceil(Math.log(ms) * BUCKETS_PER_E) + 1;

const BUCKETS = bucketOf(MAX_MS) + 1;

/** The latencies one instance has seen since it last wrote them down. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param ms the fraction of a millisecond is dropped; what is not at least 1 counts as 0 */
  add(ms: number): void {
    const bucket = ms >= 1 ? bucketOf(Math.floor(Math.min(ms, MAX_MS))) : 0;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
  }

  toPacked(): number[] {
    const packed: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket] ?? 0;
      if (count > 0) packed.push(bucket, count);
    }
    return packed;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
  }
}

/** The histogram of all that `a` and `b` counted. */
export function mergePacked(a: PackedLatencies, b: PackedLatencies): number[] {
  const merged: number[] = [];
  let inA = 0;
  let inB = 0;
  while (inA < a.length || inB < b.length) {
    const bucketA = a[inA] ?? Infinity;
    const bucketB = b[inB] ?? Infinity;
    const bucket = Math.min(bucketA, bucketB);
    let count = 0;
    if (bucketA === bucket) {
      count += a[inA + 1] ?? 0;
      inA += 2;
    }
    if (bucketB === bucket) {
      count += b[inB + 1] ?? 0;
      inB += 2;
    }
    merged.push(bucket, count);
  }
  return merged;
}

const countOf = (packed: PackedLatencies): number =>
  packed.reduce((sum, value, index) => (index % 2 === 1 ? sum + value : sum), 0);

/**
 * The value of nearest rank ⌈q·n⌉ in milliseconds, within 2 % of the exact one; null when nothing was
 * counted. Whole milliseconds where rounding keeps that promise (below 26 they are exact, and from 500
 * on it hardly matters), else hundredths.
 *
 * @param q from 0 to 1
 */
export function quantile(packed: PackedLatencies, q: number): number | null {
  // A product such as 0.07 · 100 may exceed its whole number by a hair.
  const rank = Math.max(1, Math.ceil(q * countOf(packed) - 1e-9));
  let seen = 0;
  for (let i = 0; i < packed.length; i += 2) {
    seen += packed[i + 1] ?? 0;
    if (seen >= rank) return rounded(middleOf(packed[i] ?? 0));
  }
  return null;
}

/** The value whose relative distance from both ends of the bucket is `ACCURACY`. */
const middleOf = (bucket: number): number =>
  bucket === 0 ? 0 : (2 * GAMMA ** (bucket - 1)) / (GAMMA + 1);

const rounded = (ms: number): number =>
  ms < 26 || ms >= 500 ? Math.round(ms) : Math.round(ms * 100) / 100;
