import { z } from 'zod';

import { canonicalJson } from '../canonical-json.ts';

const MAX_BYTES = 16 * 1024;
const MAX_DEPTH = 10;
/** Firestore's limit on the name of a field. */
const MAX_KEY_BYTES = 1_500;

/** Free-form facts about a provider, within what a Firestore document can hold. */
export const Metadata = z
  .record(z.string(), z.json())
  .refine((value) => depthOf(value) <= MAX_DEPTH, `must be nested at most ${MAX_DEPTH} deep`)
  .refine(
    isStorable,
    `must not hold a list directly in a list, an empty key, one over ${MAX_KEY_BYTES} bytes, or a __key__`,
  )
  .refine(
    (value) => Buffer.byteLength(canonicalJson(value)) <= MAX_BYTES,
    `must be at most ${MAX_BYTES / 1024} KiB`,
  );

const membersOf = (value: unknown): unknown[] =>
  value !== null && typeof value === 'object' ? Object.values(value) : [];

const depthOf = (value: unknown): number =>
  value !== null && typeof value === 'object'
    ? 1 + membersOf(value).reduce<number>((most, member) => Math.max(most, depthOf(member)), 0)
    : 0;

function isStorable(value: unknown): boolean {
  if (Array.isArray(value) && value.some(Array.isArray)) return false;
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    if (!Object.keys(value).every(isStorableKey)) return false;
  return membersOf(value).every(isStorable);
}

const isStorableKey = (key: string): boolean =>
  key !== '' && !/^__.*__$/.test(key) && Buffer.byteLength(key) <= MAX_KEY_BYTES;
