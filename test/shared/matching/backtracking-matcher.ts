/**
 * What `path.Match` promises, written the slow and obvious way: every `*` tries every length. The
 * oracle for the real matcher. Null for a malformed pattern.
 */
export function matchesByBacktracking(pattern: string, name: string): boolean | null {
  const tokens = tokensOf(pattern);
  return tokens && matchesFrom(tokens, 0, name, 0);
}

type Token = { kind: 'star' } | { kind: 'one'; accepts: (c: string) => boolean };

function matchesFrom(tokens: Token[], t: number, name: string, n: number): boolean {
  const token = tokens[t];
  if (token === undefined) return n === name.length;
  if (token.kind === 'one')
    return (
      n < name.length && token.accepts(name.charAt(n)) && matchesFrom(tokens, t + 1, name, n + 1)
    );
  for (let end = n; ; end++) {
    if (matchesFrom(tokens, t + 1, name, end)) return true;
    if (end >= name.length || name.charAt(end) === '/') return false;
  }
}

const one = (accepts: (c: string) => boolean): Token => ({ kind: 'one', accepts });

function tokensOf(pattern: string): Token[] | null {
  const tokens: Token[] = [];
  let rest = pattern;
  while (rest !== '') {
    // A class member is an escaped character, or any but \ - ].
    const set = /^\[(\^|(?!\^))((?:(?:\\[^]|[^\\\]-])(?:-(?:\\[^]|[^\\\]-]))?)+)\]/.exec(rest);
    const escape = /^\\([^])/.exec(rest);
    if (set) {
      const [whole, negation, members = ''] = set;
      const ranges = [...members.matchAll(/(\\[^]|[^])(?:-(\\[^]|[^]))?/g)].map(
        ([, low = '', high]) => [bare(low), bare(high ?? low)] as const,
      );
      tokens.push(
        one((c) => ranges.some(([low, high]) => low <= c && c <= high) !== (negation === '^')),
      );
      rest = rest.slice(whole.length);
    } else if (escape) {
      tokens.push(one((c) => c === escape[1]));
      rest = rest.slice(2);
    } else if (rest.startsWith('[') || rest === '\\') {
      return null;
    } else {
      const character = rest.charAt(0);
      tokens.push(
        character === '*'
          ? { kind: 'star' }
          : one((c) => (character === '?' ? c !== '/' : c === character)),
      );
      rest = rest.slice(1);
    }
  }
  return tokens;
}

const bare = (member: string): string => (member.length > 1 ? member.slice(1) : member);
