/*
 * What each request of the story costs, counted exactly: in an instance's first story, which takes
 * leases and unwraps its data key, and in its second. `node bench/request-cost.ts`
 */
import { type Usage, costOf } from '../local/kernel/meter.ts';
import { createClients } from '../shared/google/clients.ts';
import {
  type Reply,
  type TestPurvey,
  readyBuyer,
  rfqBody,
  startAgent,
  startTestPurvey,
} from '../test/support/purvey.ts';
import { report } from './support.ts';

const purvey = await startTestPurvey();
const agent = await startAgent();
const clients = createClients(purvey.config);
const tasks = await clients.tasks();
const queue = (name: string) => ({
  name: tasks.queuePath(purvey.config.project, purvey.config.region, name),
});

type Call = Parameters<TestPurvey['call']>;

function print(name: string, story: string, usage: Usage): void {
  const { reads, writes, deletes, tasks: taskCount, messages, kmsOperations } = usage;
  const counted = { reads, writes, deletes, tasks: taskCount, messages, kmsOperations };
  const usdPerMillion = Number((costOf(usage).usd * 1e6).toFixed(2));
  report('request-cost', name, { story, ...counted, usdPerMillion });
}

/** What `work` and all that it sets off cost. */
const measure = async <T>(name: string, story: string, work: () => Promise<T>): Promise<T> => {
  await purvey.settle();
  const { result, usage } = await purvey.cloud.meter.measure(async () => {
    const answer = await work();
    await purvey.settle();
    return answer;
  });
  print(name, story, usage);
  return result;
};

async function play(story: string, buyer: string): Promise<void> {
  const step = async (name: string, ...call: Call): Promise<Reply['body']> => {
    const { status, body } = await measure(name, story, () => purvey.call(...call));
    if (status >= 300) throw new Error(`${name} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  };
  const { provider_id, api_key } = await step('register', 'POST', '/v1/providers', {
    body: { name: `Provider of the ${story} story`, endpoint: agent.url },
  });
  const internal = `/internal/v1/providers/${provider_id}`;
  const provider = { provider: api_key };
  const org = { org: buyer };
  await step('verify', 'POST', `${internal}/verify`, {
    as: 'operator',
    body: { verification_type: 'identity', verified: true },
  });
  await step('subscribe', 'POST', '/v1/subscriptions', {
    as: provider,
    body: {
      provider_id,
      // Of its own for each story, so that an RFQ finds one provider.
      categories: [`${story}.*`],
      delivery: { method: 'webhook', webhook_url: `${agent.url}/work` },
    },
  });
  await step('score', 'POST', `${internal}/scores`, {
    as: 'operator',
    body: { score: 88.5, source: 'operator' },
  });
  await step('collateral', 'POST', `${internal}/collateral`, {
    as: 'operator',
    body: { kind: 'deposit', amount: '250000000', currency: 'IRR', reference: 'bench' },
  });
  await step('eligibility', 'GET', `/v1/providers/${provider_id}/eligibility`, { as: provider });

  // A paused queue keeps apart what the request costs and what it sets off.
  const planning = queue('rfq-planning');
  await tasks.pauseQueue(planning);
  const { rfq_id } = await step('create RFQ', 'POST', '/v1/rfqs', {
    as: org,
    body: rfqBody(purvey, { category: `${story}.booking` }),
  });
  await measure('plan RFQ and tell one provider', story, () => tasks.resumeQueue(planning));
  const rfq = `/v1/rfqs/${rfq_id}`;
  const { quote_id } = await step('quote', 'POST', `${rfq}/quotes`, {
    as: provider,
    body: { price: '450', currency: 'USD', confidence: 0.9 },
  });
  await step('award', 'POST', `${rfq}/award`, { as: org, body: { quote_id } });
  await step('get RFQ', 'GET', rfq, { as: org });
}

try {
  const { key } = await readyBuyer(purvey);
  for (const story of ['first', 'second']) await play(story, key);
  if (agent.received.length !== 2) throw new Error(`${agent.received.length} webhooks came, not 2`);
} finally {
  await clients.close();
  await agent.close();
  await purvey.close();
}
