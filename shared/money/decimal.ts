import Big from 'big.js';
import { z } from 'zod';

const MAX_INTEGER_DIGITS = 18;
const MAX_DECIMALS = 9;
/** More significant digits than this may have been changed already when JSON was parsed. */
const EXACT_NUMBER_DIGITS = 15;

const PLAIN = /^[+-]?(\d+)(?:\.(\d+))?$/;

type Parsed =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

const refused = (reason: string): Parsed => ({ ok: false, reason });

function parse(value: number | string): Parsed {
  const text = typeof value === 'number' ? new Big(value).toFixed() : value.trim();
  const digits = PLAIN.exec(text);
  if (!digits) return refused('must be a number or a decimal string such as "12.50"');
  const integer = (digits[1] ?? '').replace(/^0+/, '');
  const fraction = (digits[2] ?? '').replace(/0+$/, '');
  if (integer.length > MAX_INTEGER_DIGITS)
    return refused(`must have at most ${MAX_INTEGER_DIGITS} digits before the point`);
  if (fraction.length > MAX_DECIMALS) return refused(`must have at most ${MAX_DECIMALS} decimals`);
  if (typeof value === 'number' && `${integer}${fraction}`.length > EXACT_NUMBER_DIGITS)
    return refused('has more digits than a JSON number holds exactly; send it as a string');
  const magnitude = `${integer || '0'}${fraction && `.${fraction}`}`;
  return {
    ok: true,
    text: text.startsWith('-') && magnitude !== '0' ? `-${magnitude}` : magnitude,
  };
}

const decimalSchema = (permits: (canonical: string) => boolean, reason: string) =>
  z
    .union([z.number(), z.string().max(64)], {
      error: 'must be a number or a decimal string such as "12.50"',
    })
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed.ok && permits(parsed.text)) return parsed.text;
      context.issues.push({
        code: 'custom',
        message: parsed.ok ? reason : parsed.reason,
        input: value,
      });
      return z.NEVER;
    });

/** A decimal from a request (JSON number or string), made canonical: no sign, point or zero too many. */
export const DecimalString = decimalSchema(() => true, '');
export const NonNegativeDecimal = decimalSchema(
  (text) => !text.startsWith('-'),
  'must not be negative',
);
export const PositiveDecimal = decimalSchema(
  (text) => !text.startsWith('-') && text !== '0',
  'must be greater than 0',
);

/** A decimal as it is stored and answered. Sums may have more digits than any one input. */
export const StoredDecimal = z.string().regex(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);

export const compareDecimals = (a: string, b: string): -1 | 0 | 1 => new Big(a).cmp(new Big(b));

export const addDecimals = (a: string, b: string): string => new Big(a).plus(new Big(b)).toFixed();

export const subtractDecimals = (a: string, b: string): string =>
  new Big(a).minus(new Big(b)).toFixed();

export const sumDecimals = (amounts: readonly string[]): string => amounts.reduce(addDecimals, '0');

/** For the fields that a specification shows as JSON numbers; never for arithmetic. */
export const decimalToNumber = (amount: string): number => Number(amount);
