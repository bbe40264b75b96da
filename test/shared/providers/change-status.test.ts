import { describe, expect, it } from 'vitest';

import {
  type ApiKey,
  type ApiSecret,
  apiKeys,
  apiSecrets,
} from '../../../shared/api-keys/schema.ts';
import { matches } from '../../../shared/matching/schema.ts';
import { changeStatus } from '../../../shared/providers/change-status.ts';
import { type Provider, ProviderStatus, providers } from '../../../shared/providers/schema.ts';
import { ref } from '../../../shared/store/collection.ts';
import { aMatch, aProvider, command, docAt, errorOf } from '../examples.ts';

const id = aProvider().provider_id;
const key: ApiKey = {
  key_id: 'key_0000000000000001',
  kind: 'provider',
  owner_id: id,
  scopes: [],
  status: 'ACTIVE',
  created_at: '2026-01-01T00:00:00.000Z',
  expires_at: null,
  version: 1,
};
const secret: ApiSecret = {
  key_id: key.key_id,
  provider_id: id,
  status: 'ACTIVE',
  created_at: key.created_at,
  version: 1,
};
const issued = { keys: [{ hash: 'k1', key }], secrets: [{ hash: 's1', secret }] };

const changed = (
  from: Partial<Provider>,
  to: ProviderStatus,
  reason: string | null = 'complaints',
) => {
  const provider = aProvider(from);
  return changeStatus(
    { provider, match: aMatch({ status: provider.status }) },
    { ...command(), provider_id: id, status: to, reason, issued },
  );
};

const statuses = ProviderStatus.options;
/** Row: the status it has. Column: the one asked for, in the order of `statuses`. */
const table = {
  PENDING_VERIFICATION: ['same', 'changes', 'changes', 'changes'],
  ACTIVE: ['refused', 'same', 'changes', 'changes'],
  SUSPENDED: ['changes', 'changes', 'same', 'changes'],
  INACTIVE: ['refused', 'refused', 'refused', 'same'],
} as const;
const cells = statuses.flatMap((from) =>
  statuses.map((to, column) => ({ from, to, what: table[from][column] })),
);

describe("the table of a provider's statuses", () => {
  it.each(cells.filter(({ what }) => what === 'refused'))('refuses $from → $to', ({ from, to }) => {
    expect(errorOf(() => changed({ status: from }, to))).toMatchObject({
      code: 'invalid_transition',
    });
  });

  it.each(cells.filter(({ what }) => what === 'changes'))('has $from → $to', ({ from, to }) => {
    const decision = changed({ status: from }, to);
    expect(decision.reply.status).toBe(to);
    expect(docAt(decision, ref(providers, id))?.status).toBe(to);
    expect(docAt(decision, ref(matches, id))?.status).toBe(to);
    expect(decision.events).toHaveLength(1);
  });

  it.each(cells.filter(({ what }) => what === 'same'))('leaves $from as it is', ({ from, to }) => {
    const decision = changed({ status: from }, to);
    expect(decision.reply.status).toBe(to);
    expect(docAt(decision, ref(providers, id))).toBeNull();
    expect(decision.events).toBeUndefined();
  });
});

describe("changing a provider's status", () => {
  it('publishes the former and the new status, and why', () => {
    expect(changed({ status: 'ACTIVE' }, 'SUSPENDED').events).toMatchObject([
      {
        topic: 'aex-provider-events',
        type: 'provider.status_changed',
        subject: `providers/${id}`,
        version: 2,
        fields: {
          provider_id: id,
          old_status: 'ACTIVE',
          previous_status: 'ACTIVE',
          new_status: 'SUSPENDED',
          reason: 'complaints',
          changed_at: '2026-03-01T12:00:00.000Z',
        },
      },
    ]);
  });

  it('keeps the reason until the next change, and none where none was given', () => {
    const suspended = changed({ status: 'ACTIVE' }, 'SUSPENDED').reply;
    expect(suspended.status_reason).toBe('complaints');
    expect(changed(suspended, 'ACTIVE', 'settled').reply.status_reason).toBe('settled');
    expect(changed(suspended, 'INACTIVE', null).reply).not.toHaveProperty('status_reason');
  });

  it('suspends without taking anything else away', () => {
    const decision = changed({ status: 'ACTIVE' }, 'SUSPENDED');
    expect(docAt(decision, ref(matches, id))?.keys).toEqual(['travel.']);
    expect(docAt(decision, ref(apiKeys, 'k1'))).toBeNull();
    expect(docAt(decision, ref(apiSecrets, 's1'))).toBeNull();
  });

  it('archives: nothing matches it, and its keys and secrets end in the same commit', () => {
    const decision = changed({ status: 'ACTIVE' }, 'INACTIVE');
    expect(docAt(decision, ref(matches, id))?.keys).toEqual([]);
    expect(docAt(decision, ref(apiKeys, 'k1'))).toEqual({ ...key, status: 'REVOKED', version: 2 });
    expect(docAt(decision, ref(apiSecrets, 's1'))).toEqual({
      ...secret,
      status: 'REVOKED',
      version: 2,
    });
  });

  it('keeps the name of an archived provider taken', () => {
    const { writes } = changed({ status: 'ACTIVE' }, 'INACTIVE');
    expect(writes.map((write) => write.ref.path).toSorted()).toEqual([
      'api_keys/k1',
      'api_secrets/s1',
      `matches/${id}`,
      `providers/${id}`,
    ]);
  });

  it('ends keys that an archived provider still has, and changes nothing else', () => {
    const decision = changed({ status: 'INACTIVE' }, 'INACTIVE');
    expect(docAt(decision, ref(apiKeys, 'k1'))?.status).toBe('REVOKED');
    expect(docAt(decision, ref(providers, id))).toBeNull();
    expect(decision.events).toBeUndefined();
  });

  it('fails for an absent provider', () => {
    const absent = () =>
      changeStatus(
        { provider: null, match: null },
        { ...command(), provider_id: 'prov_x', status: 'ACTIVE', reason: 'known', issued },
      );
    expect(errorOf(absent)).toMatchObject({ code: 'not_found' });
  });
});
