import type { createRemoteJWKSet } from 'jose';

import type { Config } from './config.ts';

/** The claims of an identity token that matter to us. */
export interface Identity {
  readonly email: string;
  readonly audience: string;
}

/** One set per configuration, so that the keys of one installation never vouch for another's. */
const keySets = new WeakMap<Config, ReturnType<typeof createRemoteJWKSet>>();

/**
 * Reads a Google identity token. Under `auth_mode: jwks` the signature is verified; under `iam` the
 * platform has done so and stripped it, so only the claims remain to be checked.
 *
 * Returns null for anything that is not a valid token for `audience`.
 */
export async function identify(
  token: string,
  audience: string,
  config: Config,
  now: Date,
): Promise<Identity | null> {
  const jose = await import('jose');
  const claims = {
    audience,
    issuer: config.oidc_issuer,
    currentDate: now,
    requiredClaims: ['exp'],
  };
  try {
    const payload =
      config.auth_mode === 'jwks'
        ? (await jose.jwtVerify(token, await keySet(config), claims)).payload
        : jose.decodeJwt(token);
    const { email, email_verified: verified, aud, iss, exp } = payload;
    if (typeof email !== 'string' || verified !== true) return null;
    if (config.auth_mode === 'iam') {
      if (iss !== config.oidc_issuer || !exp || exp * 1_000 < now.getTime()) return null;
      if (![aud].flat().includes(audience)) return null;
    }
    return { email, audience };
  } catch {
    return null;
  }
}

async function keySet(config: Config): Promise<ReturnType<typeof createRemoteJWKSet>> {
  let keySet = keySets.get(config);
  if (!keySet) {
    const jose = await import('jose');
    keySets.set(config, (keySet = jose.createRemoteJWKSet(new URL(config.jwks_url))));
  }
  return keySet;
}
