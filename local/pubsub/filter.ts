import { RpcError } from '../kernel/grpc.ts';

type Attributes = Readonly<Record<string, string>>;
export type Filter = (attributes: Attributes) => boolean;

const CHARACTERS_MAX = 256;
const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|(!=|[=:.,()])|(-(?=\s*(?:attributes|hasPrefix|\()))|([\w/-]+))/y;

const invalid = (why: string) =>
  new RpcError('INVALID_ARGUMENT', `Invalid filter expression: ${why}.`);

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

const unquote = (token: string) =>
  token.slice(1, -1).replaceAll(ESCAPE, (_, u4, u8, hex, octal, other: string | undefined) => {
    if (other !== undefined) return SHORT_ESCAPES[other] ?? other;
    return String.fromCodePoint(
      octal ? Number.parseInt(octal, 8) : Number.parseInt(u4 ?? u8 ?? hex, 16),
    );
  });

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw invalid(`unexpected "${text.slice(at).trim()}"`);
    tokens.push(match[0].trim());
  }
  return tokens;
}

/** Recursive descent over Pub/Sub's filter language; one method per rule of its grammar. */
class Parser {
  readonly #tokens: string[];

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  whole(): Filter {
    const filter = this.#expression();
    if (this.#tokens.length > 0) throw invalid(`unexpected "${this.#tokens[0]}"`);
    return filter;
  }

  /** `a AND b AND c` or `a OR b OR c`; the two mix only with parentheses, as in production. */
  #expression(): Filter {
    const terms = [this.#term()];
    const operator = this.#tokens[0];
    if (operator !== 'AND' && operator !== 'OR') return terms[0] as Filter;
    while (this.#accept(operator)) terms.push(this.#term());
    if (this.#tokens[0] === 'AND' || this.#tokens[0] === 'OR')
      throw invalid('AND and OR need parentheses when combined');
    return operator === 'AND'
      ? (attributes) => terms.every((term) => term(attributes))
      : (attributes) => terms.some((term) => term(attributes));
  }

  #term(): Filter {
    if (this.#accept('NOT') || this.#accept('-')) {
      const negated = this.#term();
      return (attributes) => !negated(attributes);
    }
    if (this.#accept('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (this.#accept('hasPrefix')) return this.#prefix();
    this.#expect('attributes');
    return this.#accept(':') ? this.#presence() : this.#comparison();
  }

  #prefix(): Filter {
    this.#expect('(');
    this.#expect('attributes');
    this.#expect('.');
    const key = this.#key();
    this.#expect(',');
    const prefix = this.#value();
    this.#expect(')');
    return (attributes) => attributes[key]?.startsWith(prefix) ?? false;
  }

  #presence(): Filter {
    const key = this.#key();
    return (attributes) => attributes[key] !== undefined;
  }

  #comparison(): Filter {
    this.#expect('.');
    const key = this.#key();
    const isEqual = this.#accept('=');
    if (!isEqual) this.#expect('!=');
    const value = this.#value();
    return (attributes) => (attributes[key] === value) === isEqual;
  }

  #key(): string {
    const token = this.#tokens.shift() ?? '';
    if (token.startsWith('"')) return unquote(token);
    if (!/^[\w/-]+$/.test(token)) throw invalid('an attribute key is missing');
    return token;
  }

  #value(): string {
    const token = this.#tokens.shift() ?? '';
    if (!token.startsWith('"')) throw invalid('a quoted value is missing');
    return unquote(token);
  }

  #accept(token: string): boolean {
    if (this.#tokens[0] !== token) return false;
    this.#tokens.shift();
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token))
      throw invalid(`expected "${token}" before "${this.#tokens[0] ?? 'the end'}"`);
  }
}

/** Compiles a subscription's filter; the empty one lets everything through. */
export function parseFilter(text: string): Filter {
  if (text.length > CHARACTERS_MAX) throw invalid(`longer than ${CHARACTERS_MAX} characters`);
  if (text.trim() === '') return () => true;
  return new Parser(text).whole();
}
