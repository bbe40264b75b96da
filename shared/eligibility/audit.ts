import { z } from 'zod';

import { canonicalJson, contentHash } from '../canonical-json.ts';
import { collection, ref } from '../store/collection.ts';
import { Timestamp } from '../time.ts';
import { EligibilityDecision } from './decision.ts';

/** Decisions on one page, so that a page stays well below Firestore's 1 MiB. */
export const PAGE_SIZE = 300;

/** Up to 300 decisions about one RFQ. Each page seals the one before it by its hash. */
export const AuditPage = z.object({
  rfq_id: z.string(),
  /** From 0. */
  index: z.int().nonnegative(),
  /** Null on the first page. */
  previous_hash: z.string().nullable(),
  decisions: z.array(EligibilityDecision).max(PAGE_SIZE),
  /** The id of the last provider looked at, after which the next page begins; null if there was none. */
  cursor: z.string().nullable(),
  last: z.boolean(),
  /** Over all the other fields. The last page's is the RFQ's `audit_root`. */
  hash: z.string(),
  /** Whom the page decides about, to find a provider's decision by `array-contains`. */
  provider_ids: z.array(z.string()),
  /** Up to and including this page. */
  totals: z.object({ matched: z.int().nonnegative(), eligible: z.int().nonnegative() }),
  created_at: Timestamp,
  version: z.literal(1),
});
export type AuditPage = z.infer<typeof AuditPage>;

export const auditPages = collection('rfqs/*/pages', AuditPage);

/** Padded, so that pages sort by name. */
export const pageRef = (rfqId: string, index: number) =>
  ref(auditPages, rfqId, String(index).padStart(6, '0'));

const hashOf = ({ hash: _, ...sealed }: AuditPage): string => contentHash(sealed);

/** The page after `previous`, sealed. */
export function buildPage(
  previous: AuditPage | null,
  content: Pick<AuditPage, 'rfq_id' | 'decisions' | 'cursor' | 'last'>,
  at: Date,
): AuditPage {
  const page: AuditPage = {
    ...content,
    index: previous ? previous.index + 1 : 0,
    previous_hash: previous?.hash ?? null,
    hash: '',
    ...summaryOf(content.decisions, previous),
    created_at: at.toISOString(),
    version: 1,
  };
  return { ...page, hash: hashOf(page) };
}

/** What a page says about its decisions; it follows from them and from the page before. */
const summaryOf = (
  decisions: readonly EligibilityDecision[],
  previous: AuditPage | null,
): Pick<AuditPage, 'provider_ids' | 'totals'> => ({
  provider_ids: decisions.map(({ provider_id }) => provider_id),
  totals: {
    matched: (previous?.totals.matched ?? 0) + decisions.length,
    eligible:
      (previous?.totals.eligible ?? 0) + decisions.filter(({ eligible }) => eligible).length,
  },
});

export type ChainCheck =
  | { readonly intact: true; readonly root: string }
  | { readonly intact: false; readonly index: number; readonly problem: string };

/** Checks all pages of one RFQ, in order: a missing, added, moved or altered page shows. */
export function verifyChain(pages: readonly AuditPage[]): ChainCheck {
  let previous: AuditPage | null = null;
  for (const [index, page] of pages.entries()) {
    const problem = problemOf(page, previous, index, index === pages.length - 1);
    if (problem) return { intact: false, index, problem };
    previous = page;
  }
  return previous
    ? { intact: true, root: previous.hash }
    : { intact: false, index: 0, problem: 'there is no page' };
}

function problemOf(
  page: AuditPage,
  previous: AuditPage | null,
  index: number,
  isFinal: boolean,
): string | null {
  const checks: [boolean, string][] = [
    [page.index === index, 'a page is missing or out of order'],
    [!previous || page.rfq_id === previous.rfq_id, 'the page is of another RFQ'],
    [page.previous_hash === (previous?.hash ?? null), 'it does not follow from the page before'],
    [page.hash === hashOf(page), 'its content was altered'],
    [isSummedUp(page, previous), 'its providers or totals are not those of its decisions'],
    [page.last === isFinal, isFinal ? 'pages are missing at the end' : 'pages follow the last one'],
  ];
  return checks.find(([holds]) => !holds)?.[1] ?? null;
}

const isSummedUp = (page: AuditPage, previous: AuditPage | null): boolean => {
  const { provider_ids, totals } = page;
  return (
    canonicalJson({ provider_ids, totals }) === canonicalJson(summaryOf(page.decisions, previous))
  );
};
