import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { AppError } from '../../shared/errors.ts';
import { keyHash } from '../../shared/ids.ts';
import { type ApiKey, apiKeys } from '../../shared/api-keys/schema.ts';
import { authenticate } from '../../shared/runtime/authenticate.ts';
import type { Config } from '../../shared/runtime/config.ts';
import type { Services } from '../../shared/runtime/services.ts';
import { ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';
import { type Ground, openGround } from '../google/support/ground.ts';
import { serve } from './support/http-server.ts';
import { type Claims, type TokenIssuer, startTokenIssuer } from './support/token-issuer.ts';

const AUDIENCE = 'https://functions.example.com/get-thing';
const GATEWAY = 'gateway@purvey-local.iam.gserviceaccount.com';
const ALLOWED = 'services@purvey-local.iam.gserviceaccount.com';
const HOUR_S = 3_600;

let ground: Ground;
let services: Services;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
});
afterAll(() => ground.close());

const nowS = () => ground.clock.nowMs() / 1_000;

/** Who a real request with these headers is found to be, or the code it is refused with. */
async function callerOf(
  headers: Record<string, string>,
  { config = {}, lenient = false }: { config?: Partial<Config>; lenient?: boolean } = {},
): Promise<unknown> {
  const given = { ...services, config: { ...services.config, ...config } };
  const url = await serve((req, res) => {
    authenticate(req, given, AUDIENCE, { lenient }).then(
      (caller) => res.end(JSON.stringify(caller)),
      (error: unknown) =>
        res.end(JSON.stringify(error instanceof AppError ? error.code : String(error))),
    );
  });
  return (await fetch(url, { headers })).json();
}

async function storeKey(key: string, changes: Partial<ApiKey> = {}): Promise<string> {
  const doc: ApiKey = {
    key_id: 'key_1',
    kind: 'provider',
    owner_id: 'prov_1',
    scopes: [],
    status: 'ACTIVE',
    created_at: ground.now().toISOString(),
    expires_at: null,
    version: 1,
    ...changes,
  };
  await services.store.write([set(ref(apiKeys, keyHash(key)), doc)]);
  return key;
}

let keys = 0;
const newProviderKey = () => `aex_pk_live_${String(++keys).padStart(64, '0')}`;
const newOrgKey = () => `pv_org_${String(++keys).padStart(64, '0')}`;

const PUBLIC = { kind: 'public', address: '127.0.0.1' };
const PROVIDER = { kind: 'provider', providerId: 'prov_1', keyId: 'key_1' };

describe('keys of ours', () => {
  it('name their provider, as a bearer token or in X-API-Key', async () => {
    const key = await storeKey(newProviderKey());
    expect(await callerOf({ authorization: `Bearer ${key}` })).toEqual(PROVIDER);
    expect(await callerOf({ authorization: `bearer   ${key}` })).toEqual(PROVIDER);
    expect(await callerOf({ 'x-api-key': key })).toEqual(PROVIDER);
  });

  it('name their organisation with its scopes', async () => {
    const scopes = ['rfqs:read'];
    const key = await storeKey(newOrgKey(), { kind: 'org', owner_id: 'acme', scopes });
    const org = { kind: 'org', orgSlug: 'acme', keyId: 'key_1', scopes };
    expect(await callerOf({ 'x-api-key': key })).toEqual(org);
  });

  it('are refused when unknown or revoked', async () => {
    const revoked = await storeKey(newProviderKey(), { status: 'REVOKED' });
    expect(await callerOf({ 'x-api-key': revoked })).toBe('invalid_api_key');
    expect(await callerOf({ 'x-api-key': newProviderKey() })).toBe('invalid_api_key');
  });

  it('are good until the moment they expire', async () => {
    const expiresAt = new Date(ground.clock.nowMs() + 1_000).toISOString();
    const key = await storeKey(newProviderKey(), { expires_at: expiresAt });
    await ground.clock.advance(999);
    expect(await callerOf({ 'x-api-key': key })).toEqual(PROVIDER);
    await ground.clock.advance(1);
    expect(await callerOf({ 'x-api-key': key })).toBe('invalid_api_key');
  });

  it('cost one read; what cannot be one of ours costs none', async () => {
    const key = await storeKey(newProviderKey());
    const readsFor = async (headers: Record<string, string>) => {
      const { usage } = await ground.cloud.meter.measure(() => callerOf(headers));
      return usage.reads;
    };
    expect(await readsFor({ 'x-api-key': key })).toBe(1);
    expect(await readsFor({ 'x-api-key': newProviderKey() })).toBe(1);
    expect(await readsFor({})).toBe(0);
    expect(await readsFor({ 'x-api-key': 'sk_test_1' })).toBe(0);
    expect(await readsFor({ 'x-api-key': `${key}/../x` })).toBe(0);
    expect(await readsFor({ authorization: 'Basic dXNlcjpwYXNz' })).toBe(0);
  });

  it('that are wrong are overlooked on an open endpoint: existing clients send placeholders', async () => {
    const headers = { 'x-api-key': 'dev-api-key' };
    expect(await callerOf(headers)).toBe('invalid_api_key');
    expect(await callerOf(headers, { lenient: true })).toEqual(PUBLIC);
  });
});

describe('the operator key', () => {
  it('names the operator', async () => {
    const { operator_key: key } = ground.config;
    expect(await callerOf({ 'x-operator-key': key })).toEqual({ kind: 'operator' });
  });

  it.each(['wrong', '0', `pv_op_${'0'.repeat(63)}`, `pv_op_${'0'.repeat(65)}`])(
    'is refused when wrong, on open endpoints too: %s',
    async (key) => {
      expect(await callerOf({ 'x-operator-key': key })).toBe('invalid_api_key');
      expect(await callerOf({ 'x-operator-key': key }, { lenient: true })).toBe('invalid_api_key');
    },
  );
});

describe('without credentials', () => {
  it('a caller is known by address, which it cannot choose', async () => {
    expect(await callerOf({})).toEqual(PUBLIC);
    const headers = { 'x-forwarded-for': '1.2.3.4, 203.0.113.9' };
    expect(await callerOf(headers)).toEqual(PUBLIC);
    expect(await callerOf(headers, { config: { trusted_hops: 1 } })).toEqual({
      kind: 'public',
      address: '203.0.113.9',
    });
  });
});

/** What is the same whether we verify the signature or the platform has. */
const modes = ['jwks', 'iam'] as const;

describe.each(modes)('an identity token under AUTH_MODE=%s', (mode) => {
  let issuer: TokenIssuer;
  let config: Partial<Config>;
  beforeEach(async () => {
    issuer = await startTokenIssuer({
      aud: AUDIENCE,
      email: ALLOWED,
      iat: nowS(),
      exp: nowS() + HOUR_S,
    });
    config = { auth_mode: mode, jwks_url: issuer.jwksUrl };
  });

  /** As it reaches us: under `iam`, Cloud Run has taken the signature off. */
  async function token(claims: Claims = {}): Promise<string> {
    const signed = await issuer.sign(claims);
    return mode === 'jwks' ? signed : signed.replace(/[^.]+$/, 'SIGNATURE_REMOVED_BY_GOOGLE');
  }
  const callerWith = async (claims: Claims, headers: Record<string, string> = {}) =>
    callerOf({ authorization: `Bearer ${await token(claims)}`, ...headers }, { config });

  it('of an allowed service account names the service', async () => {
    expect(await callerWith({})).toEqual({ kind: 'service', email: ALLOWED });
  });

  it('may be meant for several, if we are among them', async () => {
    expect(await callerWith({ aud: ['https://other.example.com', AUDIENCE] })).toEqual({
      kind: 'service',
      email: ALLOWED,
    });
  });

  it.each<[string, Claims]>([
    ['meant for another function', { aud: `${AUDIENCE}-2` }],
    ['meant for nobody', { aud: [] }],
    ['of another issuer', { iss: 'https://accounts.example.com' }],
    ['with an email that is not verified', { email_verified: false }],
    ['whose verification is only claimed in words', { email_verified: 'true' }],
    ['without an email', { email: undefined }],
    ['of an account that is not allowed', { email: 'stranger@other.iam.gserviceaccount.com' }],
    ['of an account whose name only ends alike', { email: `x${ALLOWED}` }],
  ])('is refused %s', async (_what, claims) => {
    expect(await callerWith(claims)).toBe('invalid_api_key');
  });

  it('is refused once it has expired', async () => {
    const bearer = { authorization: `Bearer ${await token()}` };
    await ground.clock.advance((HOUR_S - 1) * 1_000);
    expect(await callerOf(bearer, { config })).toMatchObject({ kind: 'service' });
    await ground.clock.advance(2_000);
    expect(await callerOf(bearer, { config })).toBe('invalid_api_key');
  });

  it('is refused without a time of expiry', async () => {
    expect(await callerWith({ exp: undefined })).toBe('invalid_api_key');
  });

  it.each(['eyJ', 'eyJhbGciOiJub25lIn0.e30.', 'eyJhbGciOiJSUzI1NiJ9.!!!.x', 'eyJ.eyJ.eyJ'])(
    'is refused when it is none: %s',
    async (text) => {
      expect(await callerOf({ authorization: `Bearer ${text}` }, { config })).toBe(
        'invalid_api_key',
      );
    },
  );

  it("makes X-Forwarded-Authorization believed when it is the gateway's, and only then", async () => {
    config = { ...config, gateway_service_account: GATEWAY };
    const forwarded = {
      'x-forwarded-authorization': `Bearer ${await storeKey(newProviderKey())}`,
    };
    expect(await callerWith({ email: GATEWAY }, forwarded)).toEqual(PROVIDER);
    expect(await callerWith({ email: ALLOWED }, forwarded)).toMatchObject({ kind: 'service' });
    expect(await callerWith({ email: 'stranger@x.com' }, forwarded)).toBe('invalid_api_key');
    expect(await callerOf(forwarded, { config })).toEqual(PUBLIC);
  });

  it("of the gateway is not a service's: its callers are who their own keys say", async () => {
    config = { ...config, gateway_service_account: GATEWAY };
    const key = await storeKey(newProviderKey());
    expect(await callerWith({ email: GATEWAY })).toEqual(PUBLIC);
    expect(await callerWith({ email: GATEWAY }, { 'x-api-key': key })).toEqual(PROVIDER);
    const operator = { 'x-operator-key': ground.config.operator_key };
    expect(await callerWith({ email: GATEWAY }, operator)).toEqual({ kind: 'operator' });
    const inner = { 'x-forwarded-authorization': `Bearer ${await token()}` };
    expect(await callerWith({ email: GATEWAY }, inner)).toBe('invalid_api_key');
  });

  it('names no gateway where none is configured', async () => {
    const forwarded = {
      'x-forwarded-authorization': `Bearer ${await storeKey(newProviderKey())}`,
    };
    expect(await callerWith({ email: GATEWAY }, forwarded)).toBe('invalid_api_key');
  });

  it('without a valid signature is worth what the mode says', async () => {
    const signed = await issuer.sign();
    const stripped = signed.replace(/[^.]+$/, 'SIGNATURE_REMOVED_BY_GOOGLE');
    const callers = await Promise.all(
      [await issuer.forge(), stripped].map((text) =>
        callerOf({ authorization: `Bearer ${text}` }, { config }),
      ),
    );
    // Under `iam` the platform has verified the signature before we see the token.
    const expected = mode === 'jwks' ? 'invalid_api_key' : { kind: 'service', email: ALLOWED };
    expect(callers).toEqual([expected, expected]);
  });
});
