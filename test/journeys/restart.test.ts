import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import {
  type ReadyProvider,
  type Reply,
  readyBuyer,
  readyProvider,
  rfqBody,
  startAgent,
} from '../support/purvey.ts';
import { type StartedProcess, launch, startProcess } from './process.ts';
import { about, webhookIds } from './support.ts';

const names = ['one', 'two', 'three', 'four'];
/** Requests sent at once, a third of each kind; and how many of each are answered before the kill. */
const BURST = 90;
const ANSWERED = 3;
const DEPOSIT = 1_000;

let folder: string;
let purvey: StartedProcess;
let agent: Awaited<ReturnType<typeof startAgent>>;
let buyer: { key: string };
const providers: ReadyProvider[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'purvey-restart-'));
  agent = await startAgent();
  purvey = await startProcess(folder);
  for (const name of names)
    providers.push(await readyProvider(purvey, agent.url, { name, path: `/${name}` }));
  buyer = await readyBuyer(purvey);
});
afterAll(async () => {
  await purvey.kill();
  await agent.close();
  await rm(folder, { recursive: true, force: true });
});

/** One of three kinds of write: a registration, a deposit, an RFQ. */
const kinds = [
  (index: number) =>
    purvey.call('POST', '/v1/providers', {
      body: { name: `Newcomer ${index}`, endpoint: agent.url },
    }),
  (index: number) =>
    purvey.call('POST', `/internal/v1/providers/${providers[0]?.id}/collateral`, {
      as: 'operator',
      body: { kind: 'deposit', amount: DEPOSIT, currency: 'IRR', reference: `deposit ${index}` },
    }),
  (index: number) =>
    purvey.call('POST', '/v1/rfqs', {
      as: { org: buyer.key },
      body: rfqBody(purvey, { description: `RFQ ${index}` }),
    }),
];

interface Acknowledged {
  readonly registrations: Reply['body'][];
  readonly deposits: Reply['body'][];
  readonly rfqs: Reply['body'][];
}

/** Sends all writes at once, and kills the process when it has answered some of each kind. */
async function burst(): Promise<Acknowledged> {
  const answered: [Reply['body'][], Reply['body'][], Reply['body'][]] = [[], [], []];
  let killed: Promise<void> | undefined;
  const writes = Array.from({ length: BURST }, async (_, index) => {
    const kind = index % kinds.length;
    const reply = await kinds[kind]?.(index);
    if (!reply || reply.status >= 300) throw new Error(`answered ${reply?.status}`);
    answered[kind]?.push(reply.body);
    if (answered.every(({ length }) => length >= ANSWERED)) killed ??= purvey.kill();
  });
  await Promise.allSettled(writes);
  await killed;
  const [registrations, deposits, rfqs] = answered;
  return { registrations, deposits, rfqs };
}

describe('a second start on the same folder while the first runs', () => {
  test('is refused, and says why', async () => {
    const { child, output } = launch(folder);
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(output()).toMatch(/another process is using .*cloud\.db; stop it first/);
    expect((await purvey.call('GET', '/health')).status).toBe(200);
  });
});

describe('a stop as soon as it is ready', () => {
  test('ends in peace', async () => {
    const other = await mkdtemp(join(tmpdir(), 'purvey-stop-'));
    const { child, output } = launch(other);
    await vi.waitFor(() => expect(output()).toContain('Purvey is ready'), 30_000);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect({ code, isQuiet: !output().includes('Error') }).toEqual({ code: 0, isQuiet: true });
    await rm(other, { recursive: true, force: true });
  });
});

describe('after kill -9 in a burst of writes, and another start', () => {
  let acknowledged: Acknowledged;
  let output: string;
  const keyBefore = { operator: '' };

  beforeAll(async () => {
    acknowledged = await burst();
    output = purvey.output();
    keyBefore.operator = purvey.operatorKey;
    purvey = await startProcess(folder);
  });

  test('some were answered and some were not', () => {
    const counts = Object.values(acknowledged).map(({ length }) => length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(ANSWERED);
    expect(counts.reduce((sum, count) => sum + count)).toBeLessThan(BURST);
  });

  test('the operator key and the data are those of the first start', () => {
    expect(purvey.operatorKey).toBe(keyBefore.operator);
    expect(purvey.output()).toContain('with the data of the last start');
  });

  test('every registration that was answered is there, and its key is accepted', async () => {
    expect.hasAssertions();
    for (const { provider_id, api_key } of acknowledged.registrations) {
      const { status, body } = await purvey.call(
        'GET',
        `/v1/providers/${provider_id}/eligibility`,
        {
          as: { provider: api_key },
        },
      );
      expect({ status, id: body.provider_id }).toEqual({ status: 200, id: provider_id });
    }
  });

  test('every deposit that was answered is in the balance, and none is in it twice', async () => {
    const { body } = await purvey.call('GET', `/v1/providers/${providers[0]?.id}/eligibility`, {
      as: 'operator',
    });
    const added = (Number(body.collateral.amount) - 250_000_000) / DEPOSIT;
    expect(added).toBeGreaterThanOrEqual(acknowledged.deposits.length);
    expect(added).toBeLessThanOrEqual(BURST / kinds.length);
  });

  test('every eligible provider is told of every RFQ that was answered, and counted once', async () => {
    const rfqIds = acknowledged.rfqs.map(({ rfq_id }): string => rfq_id);
    for (const rfqId of rfqIds)
      await vi.waitFor(
        async () => {
          const { body } = await purvey.call('GET', `/v1/rfqs/${rfqId}`, {
            as: { org: buyer.key },
          });
          expect(body.counts).toEqual({
            matched: 4,
            eligible: 4,
            delivered: 4,
            failed: 0,
            pending: 0,
          });
        },
        { timeout: 30_000, interval: 50 },
      );
    for (const rfqId of rfqIds) {
      const told = about(agent.received, rfqId);
      for (const name of names)
        expect(webhookIds(told.filter(({ path }) => path === `/${name}`))).toHaveLength(1);
    }
  });

  test('neither the log nor what was printed holds a secret, but for the operator key at the start', async () => {
    const log = await readFile(join(folder, 'purvey.log'), 'utf8');
    const printed = `${output}${purvey.output()}`;
    const secret = /(aex_[ps]k_live_|pv_org_|whsec_)[0-9A-Za-z+/]/;
    expect(log).not.toBe('');
    expect(log).not.toMatch(secret);
    expect(printed).not.toMatch(secret);
    expect(log).not.toContain(purvey.operatorKey);
    const banner = printed
      .split('\n')
      .filter((line) => !/^ {2}(Operator key|curl) /.test(line))
      .join('\n');
    expect(banner).not.toContain(purvey.operatorKey);
  });
});
