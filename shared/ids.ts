import { z } from 'zod';

import { sha256Hex } from './canonical-json.ts';

/** Ids carry their kind, so that one pasted into a log or a ticket says what it is. */
export type IdKind =
  | 'prov'
  | 'sub'
  | 'rfq'
  | 'quo'
  | 'con'
  | 'key'
  | 'snap'
  | 'col'
  | 'msg'
  | 'dl'
  /** What quota, breaker and health are kept for. */
  | 'exk'
  /** A window of a quota. */
  | 'qta'
  /** One run of a provider task, over all its attempts. */
  | 'tex'
  /** An attempt, or a pack of them. */
  | 'pem';

const MIN_ID_BYTES = 8;
const MAX_ID_BYTES = 16;
const KEY_BYTES = 32;

/**
 * A new id, such as `prov_0123456789abcdef`.
 *
 * @param random 8 to 16 random bytes
 * @throws {RangeError} for any other number of bytes
 */
export function newId(kind: IdKind, random: Uint8Array): string {
  if (random.length < MIN_ID_BYTES || random.length > MAX_ID_BYTES)
    throw new RangeError(`an id takes ${MIN_ID_BYTES} to ${MAX_ID_BYTES} random bytes`);
  return `${kind}_${hex(random)}`;
}

/** An id that follows from what it identifies: the same parts always give the same id. */
export const derivedId = (kind: IdKind, ...parts: readonly string[]): string =>
  `${kind}_${sha256Hex(parts.join('\n')).slice(0, 2 * MAX_ID_BYTES)}`;

/** The exact form of ids that Purvey issues. */
export const idSchema = (kind: IdKind): z.ZodString =>
  z.string().regex(new RegExp(`^${kind}_[0-9a-f]{16,32}$`));

/** An id as a caller writes it: one that we never issued is not malformed, it is just not found. */
export const GivenId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be an id such as prov_0123456789abcdef');

const keyPrefixes = {
  provider_key: 'aex_pk_live_',
  provider_secret: 'aex_sk_live_',
  org_key: 'pv_org_',
} as const;

/**
 * A new secret key, such as `pv_org_` and 64 hex digits. Shown once; only its hash is stored.
 *
 * @param random 32 random bytes
 * @throws {RangeError} for any other number of bytes
 */
export function newKey(kind: keyof typeof keyPrefixes, random: Uint8Array): string {
  if (random.length !== KEY_BYTES) throw new RangeError(`a key takes ${KEY_BYTES} random bytes`);
  return `${keyPrefixes[kind]}${hex(random)}`;
}

/**
 * The document id a key is found by. A plain hash suffices, because keys are 256-bit random: there is
 * no dictionary to try.
 */
export const keyHash = (key: string): string => sha256Hex(key);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
