import { z } from 'zod';

/** An ISO 4217 currency code, or another code of three capital letters (some agents pay in tokens). */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be a currency code of three capital letters, such as USD');
