import { expect, it } from 'vitest';

import { DeliveryLog } from '../../../local/inspector/deliveries.ts';
import { ManualClock } from '../../../local/kernel/clock.ts';
import type { Delivery, Dispatch } from '../../../local/kernel/dispatch.ts';

/** A watched dispatcher whose every delivery comes to `delivery`. */
function watched(delivery: Promise<Delivery> | Delivery) {
  const log = new DeliveryLog(new ManualClock());
  const dispatcher = log.watch({
    send: async () => delivery,
    release: () => {},
    close: () => {},
  });
  return { log, send: (dispatch: Dispatch) => dispatcher.send(dispatch) };
}

const task: Dispatch = {
  url: 'http://functions.purvey.local/_functions/plan-rfq',
  headers: {
    'X-CloudTasks-QueueName': 'rfq-planning',
    'X-CloudTasks-TaskName': 'plan-1',
    'X-CloudTasks-TaskRetryCount': '2',
    Authorization: 'Bearer secret',
  },
  body: Buffer.from('{"rfq_id":"rfq_1"}'),
  deadlineMs: 1_000,
};

it('the last 200 deliveries are kept, newest first', async () => {
  const { log, send } = watched({ kind: 'answered', status: 200, headers: {} });
  for (let nth = 0; nth < 205; nth++) await send(task);
  expect(log.sent).toBe(205);
  expect(log.recent().map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, i) => 205 - i));
});

it('a delivery says who sent it and what became of it, without headers or body', async () => {
  const { log, send } = watched({ kind: 'unreachable', reason: 'ECONNREFUSED' });
  await send(task);
  expect(log.recent()).toEqual([
    {
      id: 1,
      kind: 'task',
      source: 'rfq-planning',
      item: 'plan-1',
      attempt: 3,
      sent_at: '2026-01-15T10:00:00.000Z',
      target: task.url,
      outcome: 'unreachable',
      reason: 'ECONNREFUSED',
      took_ms: expect.any(Number),
    },
  ]);
});

it('a delivery without an answer yet is under way', async () => {
  const { promise, resolve } = Promise.withResolvers<Delivery>();
  const { log, send } = watched(promise);
  const sent = send({
    ...task,
    headers: {},
    body: Buffer.from('{"subscription":"projects/p/subscriptions/s","message":{"messageId":"7"}}'),
  });
  expect(log.recent()[0]).toMatchObject({
    kind: 'push',
    source: 's',
    item: '7',
    outcome: 'under-way',
  });
  resolve({ kind: 'timed-out' });
  await sent;
  expect(log.recent()[0]).toMatchObject({ outcome: 'timed-out' });
});

it('a delivery of unknown origin is kept all the same', async () => {
  const { log, send } = watched({ kind: 'crashed' });
  await send({ ...task, headers: {}, body: Buffer.from('no JSON') });
  await send({ ...task, headers: { 'X-CloudScheduler-JobName': 'relay-outbox' } });
  expect(log.recent().map(({ kind, source }) => [kind, source])).toEqual([
    ['schedule', 'relay-outbox'],
    ['other', ''],
  ]);
});
