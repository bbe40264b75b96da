import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  DecimalString,
  NonNegativeDecimal,
  PositiveDecimal,
  StoredDecimal,
  addDecimals,
  compareDecimals,
  subtractDecimals,
  sumDecimals,
} from '../../../shared/money/decimal.ts';

/** A decimal as a caller may write it, of `scale` billionths. */
const decimals = fc
  .bigInt({ min: -(10n ** 26n), max: 10n ** 26n })
  .map((billionths) => ({ billionths, text: written(billionths) }));

function written(billionths: bigint): string {
  const digits = String(billionths < 0n ? -billionths : billionths).padStart(10, '0');
  return `${billionths < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

const toBillionths = (canonical: string): bigint => {
  const [integer = '', fraction = ''] = canonical.replace('-', '').split('.');
  const magnitude = BigInt(integer + fraction.padEnd(9, '0'));
  return canonical.startsWith('-') ? -magnitude : magnitude;
};

describe('a decimal from a request', () => {
  it.each([
    [0.05, '0.05'],
    ['0.050', '0.05'],
    ['+1.0', '1'],
    ['007', '7'],
    ['-0', '0'],
    [1e-7, '0.0000001'],
    [200_000_000, '200000000'],
    ['123456789012345678.123456789', '123456789012345678.123456789'],
  ])('%o becomes %s', (given, canonical) => {
    expect(DecimalString.parse(given)).toBe(canonical);
  });

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    '1e3',
    '0x10',
    '1,000',
    '1.',
    '.5',
    null,
    '1234567890123456789',
    '0.0000000001',
  ])('refuses %o', (given) => {
    expect(DecimalString.safeParse(given).success).toBe(false);
  });

  it('refuses a JSON number that may have been changed already, and says to send a string', () => {
    const refused = DecimalString.safeParse(JSON.parse('123456789012.12345'));
    expect(refused.error?.issues[0]?.message).toMatch(/send it as a string/);
  });

  it('may be required to be 0 or more, or more than 0', () => {
    expect(NonNegativeDecimal.safeParse('-0.01').error?.issues[0]?.message).toMatch(/negative/);
    expect(NonNegativeDecimal.parse(0)).toBe('0');
    expect(PositiveDecimal.safeParse(0).success).toBe(false);
    expect(PositiveDecimal.parse('0.000000001')).toBe('0.000000001');
  });

  it('is stored as it was canonicalised', () => {
    fc.assert(
      fc.property(decimals, ({ text, billionths }) => {
        fc.pre(text.replace(/^-|\..*$/g, '').length <= 18);
        const canonical = DecimalString.parse(text);
        expect(StoredDecimal.parse(canonical)).toBe(canonical);
        expect(toBillionths(canonical)).toBe(billionths);
      }),
    );
  });
});

describe('decimal arithmetic', () => {
  it('does not round as floating point does', () => {
    expect(addDecimals('0.1', '0.2')).toBe('0.3');
    expect(sumDecimals(['0.1', '0.1', '0.1'])).toBe('0.3');
    expect(sumDecimals([])).toBe('0');
  });

  it('adds, subtracts and compares exactly, however large', () => {
    fc.assert(
      fc.property(decimals, decimals, (a, b) => {
        expect(toBillionths(addDecimals(a.text, b.text))).toBe(a.billionths + b.billionths);
        expect(toBillionths(subtractDecimals(a.text, b.text))).toBe(a.billionths - b.billionths);
        expect(compareDecimals(a.text, b.text)).toBe(
          a.billionths < b.billionths ? -1 : a.billionths > b.billionths ? 1 : 0,
        );
      }),
    );
  });
});
