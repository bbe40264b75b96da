import { redact } from '../../shared/runtime/log.ts';

/** Fields that hold a secret, or the hash of one, whatever it looks like. */
const SECRET_NAME =
  /(secret|password|passphrase|token|(api|private|operator|hmac|signing|access)[-_]?key|authorization|cookie|credential|ciphertext|wrapped|signature|hash|digest)s?$/i;
/** Long enough for SHA-1; the ids that Purvey issues have 32 digits at most. */
const HEX = /(?<![0-9A-Za-z])[0-9a-fA-F]{40,}(?![0-9A-Za-z])/g;
const BASE64 = /[A-Za-z0-9+/_-]{40,}={0,2}/g;
const PEM = /-----BEGIN [^-]+-----[\s\S]*?(-----END [^-]+-----|$)/g;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
/** Enough of a hash to tell it from any other, and nothing to find its origin by. */
const HASH_DIGITS = 12;

/** Stands for what is left out of a hash. */
export const HIDDEN = '…';
const DOTS = '••••••••';

/** Base64 mixes cases and digits; a long path or sentence seldom does. */
const looksRandom = (text: string): boolean =>
  (text.match(/[A-Z]/g)?.length ?? 0) > 4 &&
  (text.match(/[a-z]/g)?.length ?? 0) > 4 &&
  (text.match(/\d/g)?.length ?? 0) > 2;

const maskPlain = (text: string): string =>
  redact(text)
    .replace(PEM, DOTS)
    .replace(HEX, (hash) => `${hash.slice(0, HASH_DIGITS)}${HIDDEN}`)
    .replace(BASE64, (run) => (looksRandom(run) ? DOTS : run));

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A text with everything hidden that looks like a secret or a hash; JSON in it by its field names too. */
export function maskText(text: string): string {
  const json = parsed(text);
  return json === undefined ? maskPlain(text) : JSON.stringify(maskJson(json));
}

export const isSecretName = (name: string): boolean => SECRET_NAME.test(name);

/** What is shown of a string in a field that holds a secret. */
export function maskSecret(text: string): string {
  if (TIMESTAMP.test(text) || text === '') return text;
  const masked = maskPlain(text);
  return /^[0-9a-f]+…$/.test(masked) ? masked : `${DOTS} (${text.length} characters)`;
}

/** The same for JSON; what is nested in a field with a secret's name is hidden as well. */
export function maskJson(value: unknown, isSecret = false): unknown {
  if (typeof value === 'string') return isSecret ? maskSecret(value) : maskText(value);
  if (Array.isArray(value)) return value.map((item) => maskJson(item, isSecret));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    maskPlain(name),
    maskJson(inner, isSecret || isSecretName(name)),
  ]);
  return Object.fromEntries(entries);
}
