/**
 * Globs exactly as Go's `path.Match` reads them, because subscriptions were written for it: `*` is any
 * run of characters but `/`, `?` one character but `/`, `[a-z]` and `[^a-z]` one of a class (which may
 * be `/`), a backslash takes the next character literally. Case matters, and the whole name must match.
 *
 * Like Go, each `*` settles for the leftmost place where the text after it fits, and never returns to
 * an earlier `*`. So the work is at most length of pattern × length of name, whatever the pattern.
 *
 * @throws {SyntaxError} when the pattern is malformed
 */
export function globMatches(pattern: string, name: string): boolean {
  let rest: readonly string[] = Array.from(name);
  const chunks = chunksOf(Array.from(pattern));
  for (const [index, { star, tokens }] of chunks.entries()) {
    const isLast = index === chunks.length - 1;
    if (star && tokens.length === 0) return !rest.includes('/');
    const after = placeOf(tokens, rest, { star, isLast });
    if (after === null) return false;
    rest = rest.slice(after);
  }
  return rest.length === 0;
}

export function isWellFormedGlob(pattern: string): boolean {
  try {
    chunksOf(Array.from(pattern));
    return true;
  } catch {
    return false;
  }
}

/** Decides for one character of the name. */
type Token = (character: string) => boolean;

/** A run of tokens without `*`, and whether a `*` precedes it. */
interface Chunk {
  readonly star: boolean;
  readonly tokens: readonly Token[];
}

/** How much of `text` is used up by `*` (if any) and the chunk, or null when it fits nowhere. */
function placeOf(
  tokens: readonly Token[],
  text: readonly string[],
  { star, isLast }: { star: boolean; isLast: boolean },
): number | null {
  for (let start = 0; start + tokens.length <= text.length; start++) {
    const end = start + tokens.length;
    if ((!isLast || end === text.length) && fits(tokens, text, start)) return end;
    if (!star || text[start] === '/') return null;
  }
  return null;
}

const fits = (tokens: readonly Token[], text: readonly string[], start: number): boolean =>
  tokens.every((accepts, offset) => accepts(text[start + offset] ?? ''));

function chunksOf(pattern: readonly string[]): Chunk[] {
  const chunks: Chunk[] = [];
  let at = 0;
  while (at < pattern.length) {
    const star = pattern[at] === '*';
    while (pattern[at] === '*') at++;
    const tokens: Token[] = [];
    while (at < pattern.length && pattern[at] !== '*') {
      const [token, next] = tokenAt(pattern, at);
      tokens.push(token);
      at = next;
    }
    chunks.push({ star, tokens });
  }
  return chunks;
}

function tokenAt(pattern: readonly string[], at: number): [Token, next: number] {
  switch (pattern[at] ?? '') {
    case '?':
      return [(character) => character !== '/', at + 1];
    case '[':
      return classAt(pattern, at + 1);
    case '\\':
      return literalAt(pattern, at + 1);
    default:
      return literalAt(pattern, at);
  }
}

function literalAt(pattern: readonly string[], at: number): [Token, next: number] {
  const literal = pattern[at];
  if (literal === undefined) throw new SyntaxError('the pattern ends in a lone backslash');
  return [(character) => character === literal, at + 1];
}

function classAt(pattern: readonly string[], start: number): [Token, next: number] {
  const negated = pattern[start] === '^';
  const ranges: [low: number, high: number][] = [];
  let at = negated ? start + 1 : start;
  while (pattern[at] !== ']' || ranges.length === 0) {
    const [low, afterLow] = memberAt(pattern, at);
    if (pattern[afterLow] === '-') {
      const [high, afterHigh] = memberAt(pattern, afterLow + 1);
      ranges.push([low, high]);
      at = afterHigh;
    } else {
      ranges.push([low, low]);
      at = afterLow;
    }
  }
  const contains = (character: string): boolean => {
    const point = character.codePointAt(0) ?? -1;
    return ranges.some(([low, high]) => low <= point && point <= high);
  };
  return [(character) => contains(character) !== negated, at + 1];
}

function memberAt(pattern: readonly string[], at: number): [codePoint: number, next: number] {
  const first = pattern[at];
  if (first === '-' || first === ']') throw new SyntaxError('a class holds a bare - or ]');
  const place = first === '\\' ? at + 1 : at;
  const codePoint = pattern[place]?.codePointAt(0);
  if (codePoint === undefined || place + 1 >= pattern.length)
    throw new SyntaxError('a class is not closed');
  return [codePoint, place + 1];
}
