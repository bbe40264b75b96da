import type { Provider } from './schema.ts';

/** What one provider can be found by; the words of a longer description are not all kept. */
const TERMS_MAX = 300;
const TERM_LENGTH_MAX = 64;

const folded = (text: string): string => text.normalize('NFKC').toLowerCase().trim();

/** The words of a text, each once: runs of letters, marks and digits, without case. */
export const wordsOf = (text: string): string[] => [
  ...new Set(folded(text).match(/[\p{L}\p{M}\p{N}]+/gu)),
];

export const tagTerm = (tag: string): string => `tag:${folded(tag)}`;
export const wordTerm = (word: string): string => `word:${folded(word)}`;
export const regionTerm = (region: string): string => `region:${folded(region)}`;

/**
 * What a provider is found by: its region, the words of its name, each capability and its segments, and
 * the words of its description, in this order as far as there is room.
 */
export function searchTerms({
  name,
  description,
  capabilities,
  metadata: { region },
}: Pick<Provider, 'name' | 'description' | 'capabilities' | 'metadata'>): string[] {
  const terms = [
    ...(typeof region === 'string' ? [regionTerm(region)] : []),
    ...wordsOf(name).map(wordTerm),
    ...capabilities.flatMap((capability) =>
      [capability, ...capability.split(/[./]/).filter((segment) => segment.trim() !== '')].map(
        tagTerm,
      ),
    ),
    ...wordsOf(description).map(wordTerm),
  ].filter((term) => term.length <= term.indexOf(':') + 1 + TERM_LENGTH_MAX);
  return [...new Set(terms)].slice(0, TERMS_MAX);
}
