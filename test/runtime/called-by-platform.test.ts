import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../support/purvey.ts';

let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterEach(() => purvey.cloud.faults.clear());
afterAll(() => purvey.close());

const call = (name: string, service: string, body: unknown, headers = {}) =>
  purvey.call('POST', `/_functions/${name}`, { as: { service, of: name }, body, headers });

const push = (data: string, messageId = '1') => ({
  message: { data: Buffer.from(data).toString('base64'), messageId, attributes: {} },
  subscription: 'projects/purvey-local/subscriptions/record-dead-letter',
});

const deadLetters = async () =>
  (await purvey.call('GET', '/api/v1/dead-letters', { as: 'operator' })).body.dead_letters;

/** The store refuses every read: a fault that is not ours. */
const breakStore = () =>
  purvey.cloud.faults.inject({
    rpc: '*',
    times: Infinity,
    action: { kind: 'fail', code: 'PERMISSION_DENIED', message: 'the inner workings' },
  });

describe('a task', () => {
  it.each([undefined, {}, { rfq_id: 5, page: 0 }, [], 'text'])(
    'that can never be read is dropped, not tried for ever: %j',
    async (payload) => {
      const { result, usage } = await purvey.cloud.meter.measure(() =>
        call('plan-rfq', 'tasks', payload === undefined ? undefined : JSON.stringify(payload)),
      );
      expect(result.status).toBe(200);
      expect(usage).toMatchObject({ reads: 0, writes: 0 });
    },
  );

  it('that fails answers an error, so that it comes again, and tells no inner workings', async () => {
    breakStore();
    const failed = await call('plan-rfq', 'tasks', { rfq_id: 'rfq_1', page: 0 });
    expect(failed.status).toBe(500);
    expect(failed.body).toEqual({
      error: {
        code: 'internal_error',
        message: expect.not.stringContaining('inner'),
        request_id: failed.headers.get('x-request-id'),
      },
    });
  });
});

describe('a message', () => {
  it('that is none of ours is kept as a dead letter, once however often it comes', async () => {
    const first = await call('record-dead-letter', 'push', push('what is this?', '77'));
    const again = await call('record-dead-letter', 'push', push('what is this?', '77'));
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(await deadLetters()).toHaveLength(1);
    expect(JSON.stringify(await deadLetters())).toContain('what is this?');
  });

  it('in an envelope that is no push is an error, and nothing is kept', async () => {
    const before = await deadLetters();
    const refused = await call('record-dead-letter', 'push', { hello: 'world' });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(await deadLetters()).toEqual(before);
  });

  it('that cannot be handled now answers an error, so that it comes again', async () => {
    breakStore();
    expect((await call('record-dead-letter', 'push', push('later', '78'))).status).toBe(500);
  });
});

describe('a schedule', () => {
  it('answers the scheduler, and an error when it fails', async () => {
    expect((await call('relay-outbox', 'scheduler', undefined)).status).toBe(200);
    breakStore();
    expect((await call('relay-outbox', 'scheduler', undefined)).status).toBe(500);
  });
});
