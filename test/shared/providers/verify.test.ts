import { describe, expect, it } from 'vitest';

import { matches } from '../../../shared/matching/schema.ts';
import { type Provider, type VerifyProvider, providers } from '../../../shared/providers/schema.ts';
import { verify } from '../../../shared/providers/verify.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aMatch, aProvider, command, docAt, errorOf } from '../examples.ts';

const verified = (changes: Partial<Provider>, request: Partial<VerifyProvider> = {}) => {
  const provider = aProvider(changes);
  return verify(
    { provider, match: aMatch({ status: provider.status }) },
    {
      ...command(),
      provider_id: provider.provider_id,
      request: { verification_type: 'identity', verified: true, ...request },
    },
  );
};

const waiting = { status: 'PENDING_VERIFICATION' } as const;

describe('verifying a provider', () => {
  it.each(['identity', 'endpoint'] as const)('activates it after a passed %s check', (kind) => {
    const decision = verified(waiting, { verification_type: kind });
    expect(docAt(decision, ref(providers, decision.reply.provider_id))).toMatchObject({
      status: 'ACTIVE',
      verified_at: '2026-03-01T12:00:00.000Z',
      version: 2,
    });
    expect(docAt(decision, ref(matches, decision.reply.provider_id))?.status).toBe('ACTIVE');
  });

  it('publishes the change with both spellings of the former status', () => {
    expect(verified(waiting).events).toMatchObject([
      {
        type: 'provider.status_changed',
        version: 2,
        fields: {
          old_status: 'PENDING_VERIFICATION',
          previous_status: 'PENDING_VERIFICATION',
          new_status: 'ACTIVE',
        },
      },
    ]);
  });

  it.each([
    { verification_type: 'compliance', verified: true } as const,
    { verification_type: 'identity', verified: false } as const,
  ])('only records %o', (request) => {
    const decision = verified(waiting, { ...request, notes: 'seen' });
    expect(decision.reply).toMatchObject({ status: 'PENDING_VERIFICATION', verified_at: null });
    expect(decision.reply.verifications[request.verification_type]).toMatchObject({
      notes: 'seen',
    });
    expect(decision.events).toEqual([]);
  });

  it('ends the reason of the status that it ends, and no other', () => {
    const reason = { status_reason: 'moved house' };
    expect(verified({ ...waiting, ...reason }).reply).not.toHaveProperty('status_reason');
    expect(verified({ status: 'SUSPENDED', ...reason }).reply).toMatchObject(reason);
  });

  it('does not lift a suspension', () => {
    expect(verified({ status: 'SUSPENDED' }).reply.status).toBe('SUSPENDED');
  });

  it('takes nothing from an active provider when a later check fails', () => {
    expect(verified({ status: 'ACTIVE' }, { verified: false }).reply.status).toBe('ACTIVE');
  });

  it('keeps the time of the first verification', () => {
    const first = '2026-01-05T00:00:00.000Z';
    expect(verified({ verified_at: first }).reply.verified_at).toBe(first);
  });

  it('fails for an archived or an absent provider', () => {
    expect(errorOf(() => verified({ status: 'INACTIVE' }))).toMatchObject({
      code: 'invalid_transition',
    });
    const request = { verification_type: 'identity', verified: true } as const;
    const absent = () =>
      verify({ provider: null, match: null }, { ...command(), provider_id: 'prov_x', request });
    expect(errorOf(absent)).toMatchObject({ code: 'not_found' });
  });
});
