import { describe, expect, it } from 'vitest';

import { deadLetters } from '../../../shared/dead-letters/schema.ts';
import { type Delivery, deliveryRef } from '../../../shared/rfqs/delivery.ts';
import type { AttemptOutcome } from '../../../shared/rfqs/next-delivery.ts';
import { recordAttempt } from '../../../shared/rfqs/record-attempt.ts';
import { reopenDelivery, reopenDeliveryRefs } from '../../../shared/rfqs/reopen-delivery.ts';
import type { Rfq } from '../../../shared/rfqs/schema.ts';
import type { Subscription } from '../../../shared/subscriptions/schema.ts';
import { aSubscription, anRfq, at, command, docAt, errorOf, later } from '../examples.ts';

const rfq = anRfq();
const recipient = {
  rfq_id: rfq.rfq_id,
  provider_id: 'prov_0000000000000001',
  subscription_id: 'sub_0000000000000001',
};
const last_failure = {
  reason_code: 'timeout',
  message: 'no answer within 10 s',
  http_status: null,
  at: '2026-03-01T11:59:00.000Z',
};
const failedFor = { state: 'failed', failed_at: last_failure.at, last_failure } as const;

const aDelivery = (changes: Partial<Delivery> = {}): Delivery => ({
  ...recipient,
  message_id: 'msg_1',
  attempts: 4,
  attempts_at_reopening: 0,
  progress: failedFor,
  created_at: '2026-03-01T11:50:00.000Z',
  updated_at: last_failure.at,
  version: 5,
  ...changes,
});

const subscribed = (status: Subscription['status'] = 'ACTIVE'): Subscription => {
  const { subscription_id, categories, filters, cpa_preferences, created_at } = aSubscription();
  return {
    subscription_id,
    provider_id: recipient.provider_id,
    categories,
    filters,
    cpa_preferences,
    cpa_filter_active: false,
    delivery: { method: 'webhook', webhook_url: null },
    secrets: [],
    status,
    created_at,
    updated_at: created_at,
    version: 1,
  };
};

const reopened = (
  changes: {
    rfq?: Rfq | null;
    delivery?: Delivery | null;
    subscription?: Subscription | null;
  } = {},
) =>
  reopenDelivery({ rfq, delivery: aDelivery(), subscription: subscribed(), ...changes }, command());

/** The attempt of task `n` on a delivery, and what was decided about it. */
const attempted = (delivery: Delivery, n: number, outcome: AttemptOutcome, ended_at = at) =>
  recordAttempt({ rfq, delivery }, { ...command(), recipient, n, outcome, ended_at });

const failed = (isTriedAgain: boolean) =>
  ({
    kind: 'failed',
    reason_code: 'timeout',
    message: 'no answer within 10 s',
    http_status: null,
    attempts: 1,
    retry_at: isTriedAgain ? later(5) : null,
  }) as const;

describe('reopening a delivery', () => {
  it('looks at the RFQ, the delivery and its subscription', () => {
    const { rfq: r, delivery, subscription } = reopenDeliveryRefs(recipient);
    expect([r.path, delivery.path, subscription.path]).toEqual([
      `rfqs/${recipient.rfq_id}`,
      `rfqs/${recipient.rfq_id}/deliveries/${recipient.provider_id}`,
      `subscriptions/${recipient.subscription_id}`,
    ]);
  });

  it('has it tried at once, and keeps its attempts, its last failure and its webhook-id', () => {
    const decision = reopened();
    expect(decision.writes).toHaveLength(1);
    expect(docAt(decision, deliveryRef(recipient))).toEqual({
      ...aDelivery(),
      attempts_at_reopening: 4,
      progress: { state: 'retrying', next_attempt_at: at.toISOString(), last_failure },
      updated_at: at.toISOString(),
      version: 6,
    });
    expect(decision.tasks).toEqual([
      {
        function: 'deliver-rfq',
        name: `deliver-rfq/${recipient.rfq_id}/${recipient.provider_id}/6`,
        payload: { ...recipient, n: 6 },
      },
    ]);
  });

  it('names a task that no attempt before it had, and whose n no version has passed', () => {
    // Versions and task numbers as attempts leave them, from the first to one that ends it.
    const outcomes = [failed(true), failed(true), failed(false)];
    let delivery: Delivery | null = null;
    const names = ['deliver-rfq first'];
    for (const [n, outcome] of outcomes.entries()) {
      const decision = recordAttempt(
        { rfq, delivery },
        { ...command(), recipient, n, outcome, ended_at: at },
      );
      delivery = decision.reply.delivery;
      names.push(...(decision.tasks ?? []).map(({ name }) => name));
    }
    const { reply, tasks } = reopened({ delivery });
    expect(names).not.toContain(tasks?.[0]?.name);
    expect(tasks?.[0]?.payload['n']).toBeGreaterThanOrEqual(reply.version);
  });
});

describe('what follows a reopening', () => {
  const { reply: delivery, tasks } = reopened();
  const n = Number(tasks?.[0]?.payload['n']);

  it('is recorded: a success delivers', () => {
    const { reply } = attempted(delivery, n, {
      kind: 'delivered',
      http_status: 204,
      attempts: 1,
    });
    expect(reply.delivery).toMatchObject({
      attempts: 5,
      progress: { state: 'delivered' },
      version: 7,
    });
  });

  it('is recorded: failures are told apart by their tasks, and counted from the reopening', () => {
    const first = attempted(delivery, n, failed(true));
    expect(first.reply.delivery).toMatchObject({ attempts: 5, attempts_at_reopening: 4 });
    expect(first.tasks).toMatchObject([{ payload: { n: n + 1 } }]);
    const second = attempted(first.reply.delivery, n + 1, failed(true), later(5));
    expect(second.tasks).toMatchObject([{ payload: { n: n + 2 } }]);
    expect(second.reply.delivery).toMatchObject({
      attempts: 6,
      attempts_at_reopening: 4,
      version: 8,
    });
  });

  it('that fails for good in the same millisecond, twice, leaves two dead letters more', () => {
    const lettersOf = (decision: ReturnType<typeof attempted>) =>
      decision.writes.filter((write) => write.ref.collection.path === deadLetters.path);
    const first = attempted(delivery, n, failed(false));
    const again = reopened({ delivery: first.reply.delivery });
    const second = attempted(again.reply, Number(again.tasks?.[0]?.payload['n']), failed(false));
    const letters = [...lettersOf(first), ...lettersOf(second)];
    expect(new Set(letters.map((write) => write.ref.path)).size).toBe(2);
  });

  it('that is put off beyond the deadline burns no attempt, and still leaves a letter of its own', () => {
    const putOff = {
      kind: 'deferred',
      attempts: 0,
      reason_code: 'circuit_open',
      message: 'the circuit is open',
      until: later(7_200),
    } as const;
    const first = attempted(delivery, n, putOff);
    const again = reopened({ delivery: first.reply.delivery });
    const second = attempted(again.reply, Number(again.tasks?.[0]?.payload['n']), putOff);
    const paths = [first, second].flatMap(({ writes }) =>
      writes.flatMap(({ ref }) => (ref.collection.path === deadLetters.path ? [ref.path] : [])),
    );
    expect(second.reply.delivery.attempts).toBe(4);
    expect(new Set(paths).size).toBe(2);
  });
});

describe('reopening is refused', () => {
  it.each<[string, Parameters<typeof reopened>[0], string, RegExp]>([
    ['an RFQ that is awarded', { rfq: anRfq({ status: 'AWARDED' }) }, 'rfq_closed', /AWARDED/],
    ['an RFQ that is cancelled', { rfq: anRfq({ status: 'CANCELLED' }) }, 'rfq_closed', /CANCEL/],
    [
      'an RFQ whose bid deadline is this very moment',
      { rfq: anRfq({ bid_deadline: at.toISOString() }) },
      'rfq_closed',
      /deadline was 2026-03-01T12:00:00\.000Z/,
    ],
    ['a cancelled subscription', { subscription: subscribed('CANCELLED') }, 'conflict', /ended/],
    ['a disabled subscription', { subscription: subscribed('DISABLED') }, 'conflict', /ended/],
    ['a subscription that is not kept', { subscription: null }, 'conflict', /ended/],
    [
      'what was delivered meanwhile',
      {
        delivery: aDelivery({
          progress: { state: 'delivered', delivered_at: later(-1).toISOString(), http_status: 200 },
        }),
      },
      'conflict',
      /delivered on 2026-03-01T11:59:59\.000Z/,
    ],
    [
      'what is being tried already',
      {
        delivery: aDelivery({
          progress: { state: 'retrying', next_attempt_at: later(9).toISOString(), last_failure },
        }),
      },
      'conflict',
      /due on 2026-03-01T12:00:09\.000Z/,
    ],
    ['a delivery that is not kept', { delivery: null }, 'conflict', /no longer kept/],
    ['an RFQ that is not kept', { rfq: null }, 'conflict', /no longer kept/],
  ])('for %s', (_, changes, code, message) => {
    expect(errorOf(() => reopened(changes))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('until the bid deadline, and not before', () => {
    const lastMoment = anRfq({ bid_deadline: new Date(at.getTime() + 1).toISOString() });
    expect(reopened({ rfq: lastMoment }).tasks).toHaveLength(1);
  });
});
