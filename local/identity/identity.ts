import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';

import { type JWK, SignJWT } from 'jose';

import type { Clock } from '../kernel/clock.ts';
import type { Journal } from '../kernel/journal.ts';

const ISSUER = 'https://accounts.google.com';
const TOKEN_LIFETIME_S = 3600;
/** A token is handed out again while it is younger than this, as Google's metadata server does. */
const TOKEN_REUSE_S = 1800;
const TOKENS_MAX = 1000;

/** Stands in for Google as the issuer of service accounts' OIDC tokens. */
export interface Identity {
  readonly issuer: string;
  tokenFor(subject: { readonly email: string; readonly audience: string }): Promise<string>;
  /** The public key, as https://www.googleapis.com/oauth2/v3/certs serves Google's. */
  jwks(): { keys: JWK[] };
}

/** Google's ids of service accounts are 21-digit numbers; ours follow from the address. */
const subjectOf = (email: string) =>
  `1${(BigInt(`0x${createHash('sha256').update(email).digest('hex')}`) % 10n ** 20n).toString().padStart(20, '0')}`;

let pair: ReturnType<typeof makePair> | undefined;

const makePair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

/** Finding primes takes long and a test process starts many clouds: all that are new share one pair. */
const newPair = () => (pair ??= makePair());

/** The signing key is made once and kept in the journal, so tokens stay valid over a restart. */
export function createIdentity(parts: {
  readonly journal: Journal;
  readonly clock: Clock;
}): Identity {
  const table = parts.journal.table<{ pem: string; jwk: JWK }>('identity.keys');
  let kept = table.load()[0]?.[1];
  if (!kept) {
    const { privateKey: made, publicKey } = newPair();
    const pem = made.export({ type: 'pkcs8', format: 'pem' }).toString();
    const jwk: JWK = publicKey.export({ format: 'jwk' });
    kept = { pem, jwk: { ...jwk, alg: 'RS256', use: 'sig', kid: subjectOf(pem).slice(1) } };
    table.put('signing', kept);
  }
  const { jwk } = kept;
  const privateKey = createPrivateKey(kept.pem);
  const tokens = new Map<string, { token: Promise<string>; issuedS: number }>();

  const sign = (email: string, audience: string, issuedS: number) =>
    new SignJWT({ azp: subjectOf(email), email, email_verified: true })
      .setProtectedHeader({ alg: 'RS256', kid: jwk.kid ?? '', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(subjectOf(email))
      .setIssuedAt(issuedS)
      .setExpirationTime(issuedS + TOKEN_LIFETIME_S)
      .sign(privateKey);

  return {
    issuer: ISSUER,
    jwks: () => ({ keys: [{ ...jwk }] }),
    tokenFor({ email, audience }) {
      const nowS = Math.floor(parts.clock.nowMs() / 1000);
      const key = `${email} ${audience}`;
      const known = tokens.get(key);
      if (known && nowS - known.issuedS < TOKEN_REUSE_S) return known.token;
      const token = sign(email, audience, nowS);
      tokens.delete(key);
      tokens.set(key, { token, issuedS: nowS });
      for (const oldest of tokens.keys()) {
        if (tokens.size <= TOKENS_MAX) break;
        tokens.delete(oldest);
      }
      return token;
    },
  };
}
