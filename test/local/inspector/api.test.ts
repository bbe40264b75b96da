import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { call } from '../../../local/inspector/rpc.ts';
import {
  readyBuyer,
  readyProvider,
  type ReadyProvider,
  type Reply,
  rfqBody,
  startAgent,
  startTestPurvey,
  type TestPurvey,
} from '../../support/purvey.ts';
import { inspect } from './support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let provider: ReadyProvider;
let buyer: { key: string };
/** What the agent answers: a refusal leaves a task that waits for its next attempt. */
let answer = 200;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent(() => answer);
  provider = await readyProvider(purvey, agent.url, { name: 'Lisbon Travel' });
  buyer = await readyBuyer(purvey);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const look = async (path: string): Promise<Reply['body']> => {
  const { status, body } = await inspect(purvey, 'GET', path);
  expect([path, status]).toEqual([path, 200]);
  return body;
};
const act = async (path: string, body: object = {}): Promise<Reply['body']> => {
  const reply = await inspect(purvey, 'POST', path, body);
  expect([path, reply.status]).toEqual([path, 200]);
  return reply.body;
};
const queue = async (id: string): Promise<Reply['body']> =>
  (await look('/queues')).queues.find((each: { id: string }) => each.id === id);
const openRfq = async (): Promise<string> => {
  const { body } = await purvey.call('POST', '/v1/rfqs', {
    as: { org: buyer.key },
    body: rfqBody(purvey),
  });
  await purvey.settle();
  return body.rfq_id;
};

describe('documents', () => {
  it('are counted by kind of collection, those below documents together', async () => {
    const { collections } = await look('/collections');
    expect(collections).toContainEqual({ pattern: 'providers', documents: 1 });
    expect(collections).toContainEqual({ pattern: 'orgs/*/keys', documents: 1 });
  });

  it('are listed with what tells them apart, page by page', async () => {
    for (const name of ['Second', 'Third'])
      await purvey.call('POST', '/v1/providers', { body: { name, endpoint: agent.url } });
    const paths: string[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page: Reply['body'] = await look(
        `/documents?collection=providers&page_size=2&offset=${offset}`,
      );
      expect(page.total).toBe(3);
      paths.push(...page.documents.map(({ path }: { path: string }) => path));
      offset = page.next_offset;
    }
    expect(new Set(paths).size).toBe(3);
    const { documents } = await look('/documents?collection=providers');
    const own = documents.find(({ path }: { path: string }) => path === `providers/${provider.id}`);
    expect(own.preview).toContainEqual({ name: 'name', value: 'Lisbon Travel' });
    expect((await look('/documents?collection=orgs/*/keys')).total).toBe(1);
    expect((await look('/documents?collection=orgs/acme_travel/keys')).total).toBe(1);
    expect((await look('/documents?collection=nothing')).total).toBe(0);
  });

  it('are shown whole, each value with its type', async () => {
    const document = await look(`/document?path=providers/${provider.id}`);
    expect(document.fields).toMatchObject({
      name: { type: 'string', value: 'Lisbon Travel' },
      version: { type: 'integer' },
      bid_webhook: { type: 'null' },
      cpa_enabled: { type: 'boolean', value: 'false' },
      capabilities: { type: 'array', values: [] },
      verifications: { type: 'map', fields: { identity: { type: 'map' } } },
    });
    expect(document.create_time).toBe('2026-01-15T10:00:00.000Z');
    expect((await look('/document?path=orgs/acme_travel')).collections).toEqual([
      { path: 'orgs/acme_travel/keys', documents: 1 },
    ]);
  });

  it('whose id is the hash of a key are shown by its beginning, and found by it', async () => {
    const { documents } = await look('/documents?collection=api_keys');
    for (const { path } of documents) {
      expect(path).toMatch(/^api_keys\/[0-9a-f]{12}…$/);
      const { fields } = await look(`/document?path=${encodeURIComponent(path)}`);
      expect(fields.kind.type).toBe('string');
    }
  });

  it('that are not there are answered 404', async () => {
    const { status, body } = await inspect(purvey, 'GET', '/document?path=providers/none');
    expect([status, body.error.code]).toEqual([404, 'not_found']);
  });

  it('cost nothing to look at', async () => {
    await act('/counters/reset');
    await look('/collections');
    await look('/documents?collection=providers');
    await look(`/document?path=providers/${provider.id}`);
    await look('/queues');
    await look('/topics');
    await look('/keys');
    const { operations, rpcs } = await look('/counters');
    expect(operations).toMatchObject({ reads: 0, writes: 0, deletes: 0 });
    expect(rpcs).toEqual({});
  });
});

describe('tasks', () => {
  it('wait in a paused queue, shown with target and payload, and run on demand', async () => {
    const { name } = await queue('rfq-planning');
    await act('/queues/pause', { name });
    const rfqId = await openRfq();
    const paused = await queue('rfq-planning');
    expect(paused).toMatchObject({ state: 'PAUSED', total: 1 });
    expect(paused.tasks[0]).toMatchObject({
      target: 'http://functions.purvey.local/_functions/plan-rfq',
      method: 'POST',
      schedule_time: '2026-01-15T10:00:00.000Z',
      attempts: 0,
      last_status: null,
    });
    expect(paused.tasks[0].payload.text).toContain(rfqId);

    const told = agent.received.length;
    await act('/tasks/run', { name: paused.tasks[0].name });
    await purvey.settle();
    expect(agent.received.length).toBe(told + 1);
    expect(await queue('rfq-planning')).toMatchObject({ state: 'PAUSED', total: 0 });
    expect((await look('/deliveries')).deliveries).toContainEqual(
      expect.objectContaining({ kind: 'task', source: 'rfq-planning', status: 200, attempt: 1 }),
    );
  });

  it('run when their queue is resumed', async () => {
    const { name } = await queue('rfq-planning');
    await openRfq();
    expect((await queue('rfq-planning')).total).toBe(1);
    const told = agent.received.length;
    await act('/queues/resume', { name });
    await purvey.settle();
    expect(await queue('rfq-planning')).toMatchObject({ state: 'RUNNING', total: 0 });
    expect(agent.received.length).toBe(told + 1);
  });

  it('that are due later run once the clock is moved to them', async () => {
    answer = 503;
    await openRfq();
    answer = 200;
    const [task] = (await queue('rfq-deliveries')).tasks;
    expect(Date.parse(task.schedule_time)).toBeGreaterThan(purvey.clock.nowMs());
    const told = agent.received.length;
    const { now } = await act('/clock', { advance_ms: 60_000 });
    expect(now).toBe('2026-01-15T10:01:00.000Z');
    await purvey.settle();
    expect(agent.received.length).toBe(told + 1);
    expect((await queue('rfq-deliveries')).total).toBe(0);
  });

  it('that are gone, and queues that are not there, are answered 404', async () => {
    const { name } = await queue('rfq-planning');
    for (const [path, missing] of [
      ['/tasks/run', `${name}/tasks/none`],
      ['/queues/pause', `${name}-none`],
      ['/queues/resume', `${name}-none`],
      ['/schedules/run', name.replace('/queues/rfq-planning', '/jobs/none')],
    ])
      expect((await inspect(purvey, 'POST', path ?? '', { name: missing })).status).toBe(404);
    expect((await inspect(purvey, 'POST', '/tasks/run', { name: 'x' })).status).toBe(400);
  });
});

describe('schedules', () => {
  it('run now, and say when they run next and how the last run ended', async () => {
    const find = async () =>
      (await look('/schedules')).schedules.find(({ id }: { id: string }) => id === 'relay-outbox');
    const job = await find();
    expect(job).toMatchObject({ schedule: '* * * * *', state: 'ENABLED' });
    expect(Date.parse(job.next_run)).toBeGreaterThan(purvey.clock.nowMs());
    const { sent } = await sentBy('relay-outbox');
    await act('/schedules/run', { name: job.name });
    await purvey.settle();
    expect((await sentBy('relay-outbox')).sent).toBe(sent + 1);
    expect(await find()).toMatchObject({
      last_attempt: new Date(purvey.clock.nowMs()).toISOString(),
      last_result: { code: 0, message: '' },
    });
  });

  const sentBy = async (source: string) => {
    const { deliveries } = await look('/deliveries');
    return { sent: deliveries.filter((each: { source: string }) => each.source === source).length };
  };
});

describe('messages', () => {
  it('show what no subscriber has acknowledged, with its attempts', async () => {
    const { config } = purvey;
    const { topics, subscriptions } = await look('/topics');
    expect(topics.map(({ id }: { id: string }) => id)).toContain('aex-bid-events');
    const own = subscriptions.find(({ id }: { id: string }) => id === 'record-dead-letter');
    expect(own).toMatchObject({
      topic: 'purvey-deadletter',
      push_endpoint: expect.stringContaining('/_functions/record-dead-letter'),
      outstanding: 0,
      dead_letter: null,
    });
    // Its function cannot store what it is told, so Pub/Sub tries again later.
    purvey.cloud.faults.inject({
      rpc: 'Commit',
      times: 20,
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    const event = { event_id: 'evt_inspected', api_key: 'not to be seen' };
    await call(purvey.cloud.pubsub.services, 'Publish', {
      topic: `projects/${config.project}/topics/purvey-deadletter`,
      messages: [{ data: Buffer.from(JSON.stringify(event)) }],
    });
    await purvey.settle();
    purvey.cloud.faults.clear();
    const after = (await look('/topics')).subscriptions.find(
      ({ id }: { id: string }) => id === 'record-dead-letter',
    );
    expect(after.outstanding).toBe(1);
    expect(after.messages[0]).toMatchObject({ attempts: 1 });
    expect(after.messages[0].payload.text).toContain('evt_inspected');
    expect(after.messages[0].payload.text).not.toContain('not to be seen');
    expect((await look('/deliveries')).deliveries[0]).toMatchObject({
      kind: 'push',
      source: 'record-dead-letter',
      item: after.messages[0].id,
      outcome: 'answered',
    });
  });
});

describe('the rest', () => {
  it('keys are names and versions, and nothing of their material', async () => {
    const { keys } = await look('/keys');
    expect(keys).toEqual([
      {
        name: purvey.config.kms_key,
        primary: '1',
        versions: [{ number: '1', state: 'ENABLED', create_time: expect.any(String) }],
      },
    ]);
  });

  it('counters count the work of the API and start again at zero', async () => {
    await act('/counters/reset');
    await purvey.call('GET', `/v1/providers/${provider.id}`);
    const counted = await look('/counters');
    expect(counted.operations.reads).toBeGreaterThan(0);
    expect(counted.operations.kms_operations).toBe(0);
    const { usd, by } = counted.cost;
    expect(by.reads).toBeGreaterThan(0);
    expect(usd).toBeCloseTo(by.reads + by.writes + by.deletes, 12);
    const { operations, cost, rpcs } = await act('/counters/reset');
    expect([operations.reads, cost.usd, rpcs]).toEqual([0, 0, {}]);
  });

  it('the overview counts everything and tells the time', async () => {
    const { project, clock, counts } = await look('/overview');
    expect(project).toBe('purvey-local');
    expect(clock.now).toBe(new Date(purvey.clock.nowMs()).toISOString());
    expect(clock).toEqual(await look('/clock').then(({ now }) => ({ ...clock, now })));
    expect(counts).toMatchObject({ schedules: 1, keys: 1 });
    expect(counts.documents).toBe(purvey.cloud.firestore.snapshot().size);
  });
});
