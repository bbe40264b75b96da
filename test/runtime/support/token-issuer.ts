import { type JWTPayload, SignJWT, exportJWK, generateKeyPair } from 'jose';

import { serve } from './http-server.ts';

const ISSUER = 'https://accounts.google.com';

export interface TokenIssuer {
  /** Where the public key is served. */
  readonly jwksUrl: string;
  /** A token with Google's claims for a service account, changed by `claims`. */
  sign(claims?: Claims): Promise<string>;
  /** One under the same key id, but signed with another key. */
  forge(claims?: Claims): Promise<string>;
}

export type Claims = { [Name in keyof JWTPayload]: JWTPayload[Name] | undefined };

const keyPairs = Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);

/** Stands in for Google as issuer of identity tokens, until the current test ends. */
export async function startTokenIssuer(defaults: JWTPayload): Promise<TokenIssuer> {
  const [ours, stranger] = await keyPairs;
  const jwk = { ...(await exportJWK(ours.publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' };
  const url = await serve((_req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ keys: [jwk] }));
  });
  const signWith = (key: typeof ours.privateKey, claims: Claims = {}) =>
    new SignJWT({ iss: ISSUER, email_verified: true, ...defaults, ...claims } as JWTPayload)
      .setProtectedHeader({ alg: 'RS256', kid: 'key-1' })
      .sign(key);
  return {
    jwksUrl: `${url}/certs`,
    sign: (claims) => signWith(ours.privateKey, claims),
    forge: (claims) => signWith(stranger.privateKey, claims),
  };
}
