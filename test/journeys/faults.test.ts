import '../google/support/quick-retries.ts';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import {
  type ReadyProvider,
  type TestPurvey,
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../support/purvey.ts';
import {
  about,
  listenTo,
  mentions,
  nextCrash,
  openRfq,
  passRelay,
  readRfq,
  restartAfterCrash,
  storedIn,
  storedRfqs,
  textOf,
  webhookIds,
  withFault,
  ignoreTheDead,
} from './support.ts';

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { key: string };
let provider: ReadyProvider;

beforeAll(async () => {
  ignoreTheDead();
  purvey = await startTestPurvey();
  agent = await startAgent();
  provider = await readyProvider(purvey, agent.url);
  buyer = await readyBuyer(purvey);
});
afterEach(() => purvey.cloud.faults.clear());
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

const register = (name: string, headers: Record<string, string> = {}) =>
  purvey.call('POST', '/v1/providers', { body: { name, endpoint: agent.url }, headers });

const named = (collection: string, name: string) =>
  storedIn(purvey, collection).filter((document) => textOf(document, 'name') === name);

describe('two concurrent registrations of one name', () => {
  test('one wins, and there is exactly one provider', async () => {
    const answers = await Promise.all(['Twins', 'twins'].map((name) => register(name)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const loser = answers.find(({ status }) => status === 409);
    expect(['name_taken', 'conflict']).toContain(loser?.body.error.code);
    expect([...named('providers', 'Twins'), ...named('providers', 'twins')]).toHaveLength(1);
    expect([...named('matches', 'Twins'), ...named('matches', 'twins')]).toHaveLength(1);
    expect([...named('provider_names', 'Twins'), ...named('provider_names', 'twins')]).toHaveLength(
      1,
    );
  });

  test('of many, one wins as well', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => register('Octuplets')));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array(7).fill(409),
    ]);
    expect(named('providers', 'Octuplets')).toHaveLength(1);
  });
});

describe.each(['UNAVAILABLE', 'ABORTED'] as const)(
  'a Commit that is applied and then answered with %s',
  (code) => {
    const losing = (path: string) => ({
      rpc: 'Commit',
      when: mentions(path),
      action: { kind: 'lose-acknowledgement', code } as const,
    });

    test('registers once, and answers with the keys of that once', async () => {
      const name = `Unheard ${code}`;
      const answer = await withFault(purvey, losing('/provider_names/'), () => register(name));
      expect(answer.status).toBe(200);
      expect(named('providers', name)).toHaveLength(1);
      const { status } = await purvey.call('GET', `/v1/providers/${answer.body.provider_id}`, {
        as: { provider: answer.body.api_key },
      });
      expect(status).toBe(200);
    });

    test('opens one RFQ, tells everybody once and answers with it', async () => {
      const before = storedIn(purvey, 'rfqs').length;
      const rfq = await withFault(purvey, losing('/rfqs/'), () => openRfq(purvey, buyer));
      await purvey.settle();
      expect(storedIn(purvey, 'rfqs')).toHaveLength(before + 1);
      expect(about(agent.received, rfq.rfq_id)).toHaveLength(1);
      expect(await readRfq(purvey, buyer, rfq.rfq_id)).toMatchObject({
        rfq_id: rfq.rfq_id,
        counts: { eligible: 1, delivered: 1 },
      });
    });

    test('awards once, and answers with the contract', async () => {
      const { rfq_id } = await openRfq(purvey, buyer);
      await purvey.settle();
      const quote = await purvey.call('POST', `/v1/rfqs/${rfq_id}/quotes`, {
        as: { provider: provider.key },
        body: { price: '80', currency: 'USD', confidence: 1 },
      });
      const before = storedIn(purvey, 'contracts').length;
      const events = await listenTo(purvey, 'aex-contract-events');
      const award = await withFault(purvey, losing('/contracts/'), () =>
        purvey.call('POST', `/v1/rfqs/${rfq_id}/award`, {
          as: { org: buyer.key },
          body: { quote_id: quote.body.quote_id },
        }),
      );
      expect(award.status).toBe(200);
      const [contract] = storedIn(purvey, 'contracts').slice(before);
      expect(storedIn(purvey, 'contracts')).toHaveLength(before + 1);
      expect(award.body.contracts).toMatchObject([{ contract_id: contract?.id, price: '80' }]);
      expect(await events()).toHaveLength(1);
    });
  },
);

describe('an acknowledgement lost after any RPC between a request and its last webhook', () => {
  test('leaves one RFQ, told under one webhook-id and counted once', async () => {
    const struck: string[] = [];
    for (let n = 0; n === struck.length; n++) {
      const description = `lost-${n}`;
      const rule = {
        rpc: '*',
        after: n,
        action: { kind: 'lose-acknowledgement' } as const,
        onStrike(rpc: string) {
          struck.push(rpc);
          // A transaction that its client never heard of would lock for a minute of the clock.
          setImmediate(() => purvey.cloud.firestore.endTransactions());
        },
      };
      const { rfq_id } = await withFault(purvey, rule, async () => {
        const opened = await openRfq(purvey, buyer, { description });
        await purvey.settle();
        return opened;
      });
      await passRelay(purvey);
      const at = `acknowledgement of RPC ${n} (${struck[n]}) lost`;
      expect(storedRfqs(purvey, description), at).toHaveLength(1);
      expect(webhookIds(about(agent.received, rfq_id)), at).toHaveLength(1);
      expect((await readRfq(purvey, buyer, rfq_id)).counts, at).toEqual({
        matched: 1,
        eligible: 1,
        delivered: 1,
        failed: 0,
        pending: 0,
      });
      expect(storedIn(purvey, 'outbox'), at).toHaveLength(0);
    }
    const everyKind = ['BatchGetDocuments', 'RunQuery', 'Commit', 'Publish', 'CreateTask'];
    expect(struck).toEqual(expect.arrayContaining(everyKind));
  });
});

describe('an answer that the client never heard', () => {
  test('is given again for the same Idempotency-Key, without its keys', async () => {
    const headers = { 'idempotency-key': 'registration-1' };
    const first = await register('Repeated', headers);
    const second = await register('Repeated', headers);
    expect(second).toMatchObject({
      status: 200,
      body: { provider_id: first.body.provider_id, withheld: ['api_key', 'api_secret'] },
    });
    expect(second.body).not.toHaveProperty('api_key');
    expect(named('providers', 'Repeated')).toHaveLength(1);
  });

  test('opens no second RFQ', async () => {
    const headers = { 'idempotency-key': 'rfq-1' };
    const first = await openRfq(purvey, buyer, {}, headers);
    const second = await openRfq(purvey, buyer, {}, headers);
    await purvey.settle();
    expect(second.rfq_id).toBe(first.rfq_id);
    expect(about(agent.received, first.rfq_id)).toHaveLength(1);
    const other = await purvey.call('POST', '/v1/rfqs', {
      as: { org: buyer.key },
      headers,
      body: rfqBody(purvey, { description: 'Another one' }),
    });
    expect(other).toMatchObject({ status: 422, body: { error: { code: 'idempotency_mismatch' } } });
  });
});

describe('a crash after the commit and before the publication', () => {
  test('publishes the events exactly once and enqueues the tasks, a minute later', async () => {
    const events = await listenTo(purvey, 'aex-bid-events');
    purvey.cloud.faults.inject({ rpc: 'Publish', action: { kind: 'crash-before' } });
    const description = 'Unpublished';
    const crash = nextCrash(purvey);
    void openRfq(purvey, buyer, { description }).catch(() => undefined);
    await crash;
    await restartAfterCrash(purvey);
    const [rfq] = storedRfqs(purvey, description);
    const rfqId = rfq?.id ?? '';
    expect(storedIn(purvey, 'outbox').length).toBeGreaterThan(0);

    await passRelay(purvey);
    const published = (await events()).map(
      ({ event_type, data }) => `${event_type} ${data.rfq_id}`,
    );
    expect(published.toSorted()).toEqual([`rfq.planned ${rfqId}`, `rfq.published ${rfqId}`]);
    expect(about(agent.received, rfqId)).toHaveLength(1);
    expect(storedIn(purvey, 'outbox')).toHaveLength(0);
    expect((await readRfq(purvey, buyer, rfqId)).counts).toMatchObject({
      eligible: 1,
      delivered: 1,
    });
  });
});
