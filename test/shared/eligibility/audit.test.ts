import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { contentHash } from '../../../shared/canonical-json.ts';
import {
  type AuditPage,
  buildPage,
  pageRef,
  verifyChain,
} from '../../../shared/eligibility/audit.ts';
import { type EligibilityDecision, decide } from '../../../shared/eligibility/decision.ts';
import { aMatch, at, grounds, later } from '../examples.ts';

const decision = (n: number, changes: Partial<EligibilityDecision> = {}): EligibilityDecision => ({
  ...decide(
    aMatch({ provider_id: `prov_${n}` }),
    'sub_1',
    { ...grounds, category: 'travel.booking' },
    at,
  ),
  ...changes,
});

/** A chain with the given numbers of decisions on its pages. */
function chain(sizes: readonly number[], rfq_id = 'rfq_1'): AuditPage[] {
  const pages: AuditPage[] = [];
  for (const [index, size] of sizes.entries()) {
    const decisions = Array.from({ length: size }, (_, n) =>
      decision(index * 10 + n, { eligible: n % 2 === 0 }),
    );
    const last = index === sizes.length - 1;
    const content = { rfq_id, decisions, cursor: `prov_${index}`, last };
    pages.push(buildPage(pages.at(-1) ?? null, content, at));
  }
  return pages;
}

const chains = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 5 }).map((s) => chain(s));

describe('the audit chain', () => {
  it('is intact as built, with the last page’s hash as its root', () => {
    fc.assert(
      fc.property(chains, (pages) => {
        expect(verifyChain(pages)).toEqual({ intact: true, root: pages.at(-1)?.hash });
      }),
    );
  });

  it.each<[string, Partial<AuditPage>]>([
    ['rfq_id', { rfq_id: 'rfq_2' }],
    ['index', { index: 1 }],
    ['previous_hash', { previous_hash: 'sha256:other' }],
    ['decisions', { decisions: [] }],
    ['cursor', { cursor: null }],
    ['last', { last: false }],
    ['provider_ids', { provider_ids: ['prov_0'] }],
    ['totals', { totals: { matched: 2, eligible: 2 } }],
    ['created_at', { created_at: later(1).toISOString() }],
    ['version', { version: 2 as 1 }],
  ])('seals %s', (_, change) => {
    const [page] = chain([2]);
    if (!page) throw new Error('a page was built');
    const { hash: _hash, ...altered } = { ...page, ...change };
    expect(contentHash(altered)).not.toBe(page.hash);
    expect(verifyChain([{ ...page, ...change }]).intact).toBe(false);
  });

  it('seals every field that a page has', () => {
    const [page] = chain([2]);
    if (!page) throw new Error('a page was built');
    const { hash, ...sealed } = page;
    expect(hash).toBe(contentHash(sealed));
  });

  it.each<[string, Partial<AuditPage>]>([
    ['a provider is missing', { provider_ids: ['prov_0'] }],
    ['the totals do not add up', { totals: { matched: 2, eligible: 2 } }],
  ])('shows that %s, even if the page was sealed so', (_, change) => {
    const [page] = chain([2]);
    if (!page) throw new Error('a page was built');
    const { hash: _hash, ...forged } = { ...page, ...change };
    expect(verifyChain([{ ...forged, hash: contentHash(forged) }])).toEqual({
      intact: false,
      index: 0,
      problem: 'its providers or totals are not those of its decisions',
    });
  });

  it('shows a missing page, wherever it was', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (pages, seed) => {
        const without = pages.toSpliced(seed % pages.length, 1);
        expect(verifyChain(without).intact).toBe(false);
      }),
    );
  });

  it('shows an altered decision, whichever and however', () => {
    const changes = fc.constantFrom<Partial<EligibilityDecision>>(
      { provider_id: 'prov_other' },
      { reasons: ['score_stale'] },
      { score: 12 },
      { collateral: { amount: '1', currency: 'IRR' } },
      { policy_version: 'sha256:other' },
      { decided_at: later(1).toISOString() },
      { subscription_id: null },
    );
    fc.assert(
      fc.property(chains, fc.nat(), fc.nat(), changes, (pages, atPage, atDecision, change) => {
        const index = atPage % pages.length;
        const page = pages[index];
        fc.pre(page !== undefined && page.decisions.length > 0);
        const place = atDecision % (page?.decisions.length ?? 1);
        const altered = pages.map((other, n) =>
          n === index
            ? {
                ...other,
                decisions: other.decisions.map((one, m) =>
                  m === place ? { ...one, ...change } : one,
                ),
              }
            : other,
        );
        expect(verifyChain(altered)).toMatchObject({ intact: false, index });
      }),
    );
  });

  it('shows a page that was altered and sealed anew, by the page after it', () => {
    const [first, second] = chain([2, 2]);
    if (!first || !second) throw new Error('two pages were built');
    const resealed = buildPage(null, { ...first, decisions: [decision(9)] }, at);
    expect(verifyChain([resealed, second])).toMatchObject({
      intact: false,
      index: 1,
      problem: 'it does not follow from the page before',
    });
  });

  it('shows swapped pages, another RFQ’s page, and pages after the last', () => {
    const pages = chain([1, 1, 1]);
    expect(verifyChain(pages.toReversed()).intact).toBe(false);
    expect(verifyChain([...pages, ...chain([1])]).intact).toBe(false);
    const foreign = chain([1, 1, 1], 'rfq_2')[1];
    expect(verifyChain(pages.map((page, n) => (n === 1 && foreign ? foreign : page))).intact).toBe(
      false,
    );
  });

  it('without any page is not intact', () => {
    expect(verifyChain([])).toMatchObject({ intact: false });
  });

  it('counts up to each page', () => {
    expect(chain([3, 2]).map(({ totals }) => totals)).toEqual([
      { matched: 3, eligible: 2 },
      { matched: 5, eligible: 3 },
    ]);
  });

  it('lists whom a page decides about, to find a provider’s decision', () => {
    expect(chain([2])[0]?.provider_ids).toEqual(['prov_0', 'prov_1']);
  });

  it('names pages so that they sort', () => {
    const names = [2, 10, 100].map((index) => pageRef('rfq_1', index).path);
    expect(names.toSorted()).toEqual(names);
  });
});
