import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  type CollateralKind,
  RecordCollateral,
  RecordScore,
  collateralEntries,
  scoreSnapshots,
} from '../../../shared/eligibility/ledger.ts';
import { recordCollateral } from '../../../shared/eligibility/record-collateral.ts';
import { recordScore } from '../../../shared/eligibility/record-score.ts';
import { AppError } from '../../../shared/errors.ts';
import { type Match, matches } from '../../../shared/matching/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import type { Command } from '../../../shared/store/decision.ts';
import { aMatch, command, docAt, errorOf, later, policy } from '../examples.ts';

const provider_id = 'prov_0000000000000001';
const matchRef = ref(matches, provider_id);

const scored = (match: Match | null, value: number, of: Command = command()) =>
  recordScore(
    { match },
    { ...of, provider_id, request: { score: value, source: 'operator', note: 'audit' }, policy },
  );

const moved = (
  match: Match | null,
  kind: CollateralKind,
  amount: string,
  currency = 'IRR',
  of: Command = command(),
) =>
  recordCollateral(
    { match },
    {
      ...of,
      provider_id,
      request: { kind, amount, currency, reference: 'transfer-7' },
      recorded_by: 'operator',
      policy,
    },
  );

/** Null for a refused command. */
function outcomeOf<Reply>(act: () => Reply): Reply | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof AppError && error.code === 'conflict') return null;
    throw error;
  }
}

describe('recording a score', () => {
  it('appends a snapshot with the collateral, and counts at once', () => {
    const decision = scored(aMatch(), 88.5);
    expect(decision.reply).toMatchObject({
      provider_id,
      score: 88.5,
      collateral_balance: '250000000',
      currency: 'IRR',
      source: 'operator',
      captured_at: '2026-03-01T12:00:00.000Z',
    });
    expect(docAt(decision, ref(scoreSnapshots, decision.reply.snapshot_id))).toEqual(
      decision.reply,
    );
    expect(docAt(decision, matchRef)).toMatchObject({
      score: { value: 88.5, source: 'operator' },
      version: 2,
    });
  });

  it('has one id per command, so that a rerun appends nothing twice', () => {
    const once = command();
    expect(scored(aMatch(), 80, once).reply.snapshot_id).toBe(
      scored(aMatch(), 80, once).reply.snapshot_id,
    );
    expect(scored(aMatch(), 80).reply.snapshot_id).not.toBe(scored(aMatch(), 80).reply.snapshot_id);
  });

  it('that comes late is kept, but the newer one stays', () => {
    const newer = { value: 95, source: 'operator', captured_at: later(60).toISOString() };
    const decision = scored(aMatch({ score: newer }), 50);
    expect(docAt(decision, ref(scoreSnapshots, decision.reply.snapshot_id))?.score).toBe(50);
    expect(docAt(decision, matchRef)).toBeNull();
  });

  it('is refused outside 0 to 100, and for an unknown provider', () => {
    for (const score of [-1, 100.1, Number.NaN])
      expect(RecordScore.safeParse({ score, source: 'operator' }).success).toBe(false);
    expect(errorOf(() => scored(null, 50))).toMatchObject({ code: 'not_found' });
  });
});

describe('recording collateral', () => {
  it('appends the entry and a snapshot with the new balance, and counts at once', () => {
    const decision = moved(aMatch({ collateral: {} }), 'deposit', '200000000');
    expect(decision.reply).toMatchObject({ balance: '200000000', currency: 'IRR' });
    expect(docAt(decision, ref(collateralEntries, decision.reply.entry_id))).toMatchObject({
      kind: 'deposit',
      amount: '200000000',
      balance_after: '200000000',
      reference: 'transfer-7',
      recorded_by: 'operator',
    });
    expect(docAt(decision, matchRef)?.collateral).toEqual({ IRR: '200000000' });
    const snapshot = decision.writes.find(
      (write) => write.ref.collection.path === scoreSnapshots.path,
    );
    expect(snapshot).toMatchObject({
      kind: 'create',
      doc: { score: 90, collateral_balance: '200000000', source: 'collateral' },
    });
  });

  it('keeps currencies apart', () => {
    const decision = moved(aMatch(), 'deposit', '10', 'USD');
    expect(docAt(decision, matchRef)?.collateral).toEqual({ IRR: '250000000', USD: '10' });
  });

  it.each([
    ['withdrawal', '250000000.000000001', /Only 250000000 IRR is free/],
    ['lock', '250000001', /Only 250000000 IRR is free/],
    ['release', '1', /Only 0 IRR is locked/],
  ] as const)('refuses a %s of %s', (kind, amount, message) => {
    expect(errorOf(() => moved(aMatch(), kind, amount))).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(message),
    });
  });

  it('is refused for nothing, a negative amount, or an unknown provider', () => {
    const entry = { kind: 'deposit', currency: 'IRR', reference: 'x' };
    for (const amount of [0, '-5', 'much'])
      expect(RecordCollateral.safeParse({ ...entry, amount }).success).toBe(false);
    expect(errorOf(() => moved(null, 'deposit', '5'))).toMatchObject({ code: 'not_found' });
  });

  it('is deposits − withdrawals − locks + releases, and never below zero', () => {
    const entries = fc.array(
      fc.record({
        kind: fc.constantFrom<CollateralKind>('deposit', 'withdrawal', 'lock', 'release'),
        amount: fc.integer({ min: 1, max: 50 }),
      }),
      { maxLength: 30 },
    );
    const sign = { deposit: 1, withdrawal: -1, lock: -1, release: 1 } as const;
    fc.assert(
      fc.property(entries, (list) => {
        let match = aMatch({ collateral: {} });
        let balance = 0;
        let locked = 0;
        for (const { kind, amount } of list) {
          const refused =
            kind === 'release' ? amount > locked : kind !== 'deposit' && amount > balance;
          const decision = outcomeOf(() => moved(match, kind, String(amount)));
          expect(decision === null).toBe(refused);
          if (decision === null) continue;
          match = docAt(decision, matchRef) ?? match;
          balance += sign[kind] * amount;
          locked += kind === 'lock' ? amount : kind === 'release' ? -amount : 0;
          expect(match.collateral['IRR'] ?? '0').toBe(String(balance));
          expect(Math.min(balance, locked)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
