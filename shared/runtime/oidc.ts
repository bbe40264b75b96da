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
  try {
    const claims =
      config.auth_mode === 'jwks'
        ? await verified(token, audience, config, now)
        : checked(claimsOf(token), audience, config, now);
    const { email, email_verified: isVerified } = claims;
    return typeof email === 'string' && isVerified === true ? { email, audience } : null;
  } catch {
    return null;
  }
}

type Claims = Readonly<Record<string, unknown>>;

async function verified(
  token: string,
  audience: string,
  config: Config,
  now: Date,
): Promise<Claims> {
  const jose = await import('jose');
  const { payload } = await jose.jwtVerify(token, await keySet(config), {
    audience,
    issuer: config.oidc_issuer,
    currentDate: now,
    requiredClaims: ['exp'],
  });
  return payload;
}

/** Without `jose`, which a cold start behind Cloud Run would load for this alone. */
const claimsOf = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Claims;

function checked(claims: Claims, audience: string, config: Config, now: Date): Claims {
  const { aud, iss, exp } = claims;
  const isCurrent = typeof exp === 'number' && exp * 1_000 >= now.getTime();
  if (iss !== config.oidc_issuer || !isCurrent || ![aud].flat().includes(audience))
    throw new Error('the token is not for us');
  return claims;
}

async function keySet(config: Config): Promise<ReturnType<typeof createRemoteJWKSet>> {
  let keySet = keySets.get(config);
  if (!keySet) {
    const jose = await import('jose');
    keySets.set(config, (keySet = jose.createRemoteJWKSet(new URL(config.jwks_url))));
  }
  return keySet;
}
