import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { policyOf } from '../../../shared/execution/policy.ts';
import { delayMs } from '../../../shared/execution/retry.ts';
import { deadLetters } from '../../../shared/dead-letters/schema.ts';
import { type Delivery, deliveryRef } from '../../../shared/rfqs/delivery.ts';
import {
  type AttemptOutcome,
  type NextDelivery,
  nextDelivery,
} from '../../../shared/rfqs/next-delivery.ts';
import { recordAttempt } from '../../../shared/rfqs/record-attempt.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import { anRfq, at, command, docAt, errorOf, later } from '../examples.ts';

const failed = (changes: Partial<Extract<AttemptOutcome, { kind: 'failed' }>> = {}) =>
  ({
    kind: 'failed',
    reason_code: 'timeout',
    message: 'no answer within 10 s',
    http_status: null,
    attempts: 1,
    retry_at: later(5),
    ...changes,
  }) as const;
const delivered = { kind: 'delivered', http_status: 204, attempts: 1 } as const;
const deferred = (until: Date) =>
  ({ kind: 'deferred', attempts: 0, reason_code: 'circuit_open', message: 'open', until }) as const;

const farDeadline = later(30 * 24 * 60 * 60);

describe('the next attempt', () => {
  it('comes when the execution layer would make it, and otherwise never', () => {
    expect(nextDelivery(null, failed({ retry_at: later(60) }), at, farDeadline)).toMatchObject({
      attempts: 1,
      progress: { state: 'retrying', next_attempt_at: later(60).toISOString() },
    });
    expect(nextDelivery(null, failed({ retry_at: null }), at, farDeadline)).toMatchObject({
      attempts: 1,
      progress: { state: 'failed' },
    });
  });

  it('by its configuration comes after 5 s, doubling to 15 min', () => {
    const { retry } = policyOf(executionSettings(), {
      tenantId: '*',
      providerName: 'prov_1',
      capability: 'webhook_delivery',
    });
    const waits = Array.from({ length: 10 }, (_, n) => delayMs(retry, n + 1, 0.9) / 1_000);
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
  });

  it('of several kinds of trouble in any order never comes at or after the bid deadline', () => {
    const troubles = fc.array(
      fc.oneof(
        fc
          .integer({ min: 5, max: 7_200 })
          .map(
            (wait) => (now: Date) => failed({ retry_at: new Date(now.getTime() + wait * 1_000) }),
          ),
        fc.nat({ max: 7_200 }).map((seconds) => () => deferred(later(seconds))),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(troubles, fc.integer({ min: 1, max: 86_400 }), (outcomes, seconds) => {
        const deadline = later(seconds);
        let now = at;
        let state: NextDelivery | null = null;
        for (const outcome of outcomes) {
          state = nextDelivery(state, outcome(now), now, deadline);
          if (state.progress.state !== 'retrying') return;
          const next = new Date(state.progress.next_attempt_at);
          expect(next.getTime()).toBeGreaterThan(now.getTime());
          expect(next.getTime()).toBeLessThan(deadline.getTime());
          now = next;
        }
      }),
    );
  });

  it('of one that was deferred burns none', () => {
    const state = nextDelivery(null, deferred(later(60)), at, farDeadline);
    expect(state).toMatchObject({
      attempts: 0,
      progress: { state: 'retrying', next_attempt_at: later(60).toISOString() },
    });
  });

  it('does not come after success, 410, or a failure that no repetition helps', () => {
    expect(nextDelivery(null, delivered, at, farDeadline)).toMatchObject({
      attempts: 1,
      progress: { state: 'delivered', http_status: 204 },
      disable_subscription: false,
    });
    const gone = failed({ http_status: 410, retry_at: null });
    expect(nextDelivery(null, gone, at, farDeadline)).toMatchObject({
      progress: { state: 'failed' },
      disable_subscription: true,
    });
    expect(nextDelivery(null, failed({ retry_at: null }), at, farDeadline)).toMatchObject({
      progress: { state: 'failed' },
      disable_subscription: false,
    });
  });

  it('does not come when there is nobody to tell any more, which is no attempt either', () => {
    const pointless = { kind: 'pointless', reason_code: 'rfq_closed', message: 'AWARDED' } as const;
    expect(nextDelivery(null, pointless, at, farDeadline)).toMatchObject({
      attempts: 0,
      progress: { state: 'failed', last_failure: { reason_code: 'rfq_closed' } },
    });
  });

  it('never follows a late report on what is settled', () => {
    const done = nextDelivery(null, delivered, at, farDeadline);
    expect(nextDelivery(done, failed({ http_status: 410 }), later(1), farDeadline)).toEqual(done);
  });
});

describe('recording an attempt', () => {
  const recipient = { rfq_id: anRfq().rfq_id, provider_id: 'prov_1', subscription_id: 'sub_1' };
  const recorded = (outcome: AttemptOutcome, delivery: Delivery | null = null, n = 0) =>
    recordAttempt(
      { rfq: anRfq(), delivery },
      { ...command(), recipient, n, outcome, ended_at: at },
    );

  it('that succeeded writes one document and nothing else', () => {
    const decision = recorded(delivered);
    expect(decision.writes).toHaveLength(1);
    expect(decision.tasks).toBeUndefined();
    expect(docAt(decision, deliveryRef(recipient))).toMatchObject({
      attempts: 1,
      progress: { state: 'delivered' },
      version: 1,
    });
  });

  it('that failed schedules the next under a new name, with the same webhook-id', () => {
    const first = recorded(failed());
    expect(first.tasks).toEqual([
      {
        function: 'deliver-rfq',
        name: `deliver-rfq/${recipient.rfq_id}/prov_1/1`,
        payload: { ...recipient, n: 1 },
        at: later(5),
      },
    ]);
    const second = recorded(failed(), first.reply.delivery, 1);
    expect(second.tasks).toMatchObject([{ name: `deliver-rfq/${recipient.rfq_id}/prov_1/2` }]);
    expect(second.reply.delivery).toMatchObject({
      message_id: first.reply.delivery.message_id,
      attempts: 2,
      version: 2,
    });
  });

  it('that was the last writes and publishes a dead letter that can be replayed', () => {
    const decision = recorded(failed({ retry_at: null, reason_code: 'bad_request' }));
    const letter = decision.writes.find((write) => write.ref.collection.path === deadLetters.path);
    const payload = {
      tenant_id: 'acme',
      campaign_id: recipient.rfq_id,
      task_name: 'deliver-rfq',
      provider_name: 'prov_1',
      capability: 'webhook_delivery',
      operation: 'rfq.published',
      idempotency_key: decision.reply.delivery.message_id,
      correlation_id: recipient.rfq_id,
      reason_code: 'bad_request',
      error_type: 'DeliveryFailed',
      error_message: 'no answer within 10 s',
      attempts: 1,
      occurred_at: '2026-03-01T12:00:00.000Z',
    };
    expect(Object.keys(payload)).toHaveLength(13);
    expect(letter).toMatchObject({
      kind: 'create',
      doc: {
        ...payload,
        status: 'OPEN',
        replay: { function: 'deliver-rfq', payload: recipient },
      },
    });
    expect(decision.events).toMatchObject([{ topic: 'purvey-deadletter', fields: payload }]);
    expect(docAt(decision, deliveryRef(recipient))?.progress.state).toBe('failed');
  });

  it.each(['rfq_closed', 'subscription_ended'])('leaves no dead letter for %s', (reason_code) => {
    const closed = recorded({ kind: 'pointless', reason_code, message: 'over' });
    expect(closed.writes).toHaveLength(1);
    expect(closed.events).toBeUndefined();
  });

  it('on what is settled changes nothing', () => {
    const done = recorded(delivered).reply.delivery;
    expect(recorded(failed(), done, 3)).toEqual({
      writes: [],
      reply: { delivery: done, disable_subscription: false },
    });
  });

  it('needs its RFQ', () => {
    const orphan = { ...command(), recipient, n: 0, outcome: delivered, ended_at: at };
    expect(errorOf(() => recordAttempt({ rfq: null, delivery: null }, orphan))).toMatchObject({
      code: 'not_found',
    });
  });
});
