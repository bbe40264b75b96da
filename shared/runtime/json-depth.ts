const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Brackets and braces differ in this bit alone. */
const CASE_BIT = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/**
 * True when a JSON text nests deeper than `depthMax`. Parsing such a text succeeds, but whatever walks
 * the value afterwards, validation and serialisation included, would run out of stack.
 */
export function isDeeperThan(depthMax: number, json: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if ((byte | CASE_BIT) === OPENING && ++depth > depthMax) return true;
    else if ((byte | CASE_BIT) === CLOSING) depth--;
  }
  return false;
}
