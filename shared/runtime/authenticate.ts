import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { sha256Hex } from '../canonical-json.ts';
import { AppError } from '../errors.ts';
import { apiKeys } from '../api-keys/schema.ts';
import { ref } from '../store/collection.ts';
import { clientAddress } from './address.ts';
import type { Caller } from './caller.ts';
import { identify } from './oidc.ts';
import type { Services } from './services.ts';

/** The keys Purvey issues; anything else in a key header is not ours and costs no look-up. */
const ISSUED_KEY = /^(aex_pk_live_|pv_org_)[0-9a-f]{64}$/;

const header = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

const bearer = (value: string | undefined): string | undefined =>
  value?.match(/^Bearer\s+(\S+)$/i)?.[1];

/**
 * Finds out who calls. At most one read, and none without a key of ours.
 *
 * @param audience this function's own URL, which an OIDC token must be meant for
 * @throws {AppError} `invalid_api_key` for credentials that are wrong, expired or revoked, unless
 *   `lenient`: existing clients send placeholder keys to open endpoints
 */
export async function authenticate(
  req: IncomingMessage,
  services: Services,
  audience: string,
  { lenient }: { lenient: boolean },
): Promise<Caller> {
  const { config } = services;
  const anonymous: Caller = { kind: 'public', address: clientAddress(req, config.trusted_hops) };

  const operatorKey = header(req, 'x-operator-key');
  if (operatorKey !== undefined) {
    if (sameSecret(operatorKey, config.operator_key)) return { kind: 'operator' };
    throw new AppError(
      'invalid_api_key',
      'The X-Operator-Key is wrong. `npm start` prints it; in production it is in Secret Manager.',
    );
  }

  const credential = await presentedCredential(req, services, audience);
  // On an open endpoint the platform lets everybody in, and so verifies no token for us.
  if (credential.kind === 'service') return lenient ? anonymous : credential;
  if (credential.key === undefined) return anonymous;
  const caller = await keyOwner(credential.key, services);
  if (caller) return caller;
  if (lenient) return anonymous;
  throw new AppError('invalid_api_key', 'The API key is unknown, expired or revoked.');
}

async function presentedCredential(
  req: IncomingMessage,
  { config, now }: Services,
  audience: string,
): Promise<{ kind: 'key'; key: string | undefined } | Extract<Caller, { kind: 'service' }>> {
  const token = bearer(header(req, 'authorization'));
  const apiKey = header(req, 'x-api-key');
  if (token?.startsWith('eyJ')) {
    const identity = await identify(token, audience, config, now());
    // Behind the gateway, Authorization is the gateway's own and the client's has been moved.
    if (identity && identity.email === config.gateway_service_account)
      return { kind: 'key', key: bearer(header(req, 'x-forwarded-authorization')) ?? apiKey };
    if (identity && config.service_accounts.includes(identity.email))
      return { kind: 'service', email: identity.email };
  }
  return { kind: 'key', key: token ?? apiKey };
}

async function keyOwner(key: string, { store, now }: Services): Promise<Caller | null> {
  if (!ISSUED_KEY.test(key)) return null;
  const found = await store.get(ref(apiKeys, sha256Hex(key)));
  if (!found || found.status !== 'ACTIVE') return null;
  if (found.expires_at !== null && found.expires_at <= now().toISOString()) return null;
  return found.kind === 'provider'
    ? { kind: 'provider', providerId: found.owner_id, keyId: found.key_id }
    : { kind: 'org', orgSlug: found.owner_id, keyId: found.key_id, scopes: found.scopes };
}

function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(
    Buffer.from(sha256Hex(given), 'hex'),
    Buffer.from(sha256Hex(expected), 'hex'),
  );
}
