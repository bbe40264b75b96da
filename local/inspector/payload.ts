import { maskText } from './masking.ts';

/** A longer text is cut: the page asks for it every two seconds. */
const CHARACTERS_MAX = 8_000;

/** The body of a task or message, for the page. */
export interface Payload {
  readonly bytes: number;
  /** Null when it is not text. */
  readonly text: string | null;
  readonly truncated: boolean;
}

export function showPayload(body: Uint8Array): Payload {
  const text = decoded(body);
  if (text === undefined) return { bytes: body.length, text: null, truncated: false };
  const masked = maskText(text);
  return {
    bytes: body.length,
    text: masked.slice(0, CHARACTERS_MAX),
    truncated: masked.length > CHARACTERS_MAX,
  };
}

function decoded(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
