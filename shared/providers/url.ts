import { z } from 'zod';

import { invalidField } from '../invalid-field.ts';

const MAX_URL_LENGTH = 2_048;

/** A web address that a provider wants to be called at. Where it may point is the egress policy's matter. */
export const GivenUrl = z
  .string()
  .trim()
  .max(MAX_URL_LENGTH)
  .refine(isCallable, 'must be an http(s) URL with a host and without a user name');

function isCallable(text: string): boolean {
  // The parser drops line ends and tabs; what is stored and published must not hold them.
  if (/\p{Cc}/u.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  return ['https:', 'http:'].includes(protocol) && hostname !== '' && !username && !password;
}

/** @throws {AppError} `invalid_request` for plain http, unless the environment allows it */
export function requireHttps(
  field: string,
  url: string | undefined,
  { allowInsecure }: { readonly allowInsecure: boolean },
): void {
  if (url !== undefined && !allowInsecure && new URL(url).protocol !== 'https:')
    throw invalidField(field, 'must be https');
}
