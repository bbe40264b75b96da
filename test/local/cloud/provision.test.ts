import { afterEach, beforeEach, expect, it } from 'vitest';

import { provision } from '../../../local/provision.ts';
import { type Config, loadConfig } from '../../../shared/runtime/config.ts';
import type { Manifest } from '../../../shared/runtime/manifest.ts';
import { startTestCloud, type TestCloud } from '../support/cloud.ts';

let test: TestCloud;
let config: Config;
beforeEach(async () => {
  test = await startTestCloud();
  config = loadConfig({
    PURVEY_CLOUD_ENDPOINT: `127.0.0.1:${test.cloud.port}`,
    PURVEY_FUNCTION_URL: `${test.target.url}/{name}`,
    PURVEY_OPERATOR_KEY: `pv_op_${'0'.repeat(64)}`,
    PURVEY_HMAC_KEY: 'f'.repeat(64),
  });
});
afterEach(() => test.stop());

const resources = {
  needs: [],
  cpu: 1,
  memory: '256Mi',
  concurrency: 80,
  max_instances: 20,
  timeout_s: 60,
};
const MANIFEST: Manifest = {
  http: {},
  tasks: {},
  pubsub: {
    consume: { source: 'x', topic: 'events', filter: 'attributes.kind = "bid"', ...resources },
  },
  schedules: { sweep: { source: 'x', cron: '*/5 * * * *', time_zone: 'Etc/UTC', ...resources } },
  queues: {
    work: {
      max_dispatches_per_second: 5,
      max_concurrent: 2,
      max_attempts: 3,
      min_backoff_s: 0.5,
      max_backoff_s: 60,
    },
  },
  topics: ['events', 'purvey-deadletter'],
};

const place = () => `projects/${config.project}/locations/${config.region}`;
const subscription = () => `projects/${config.project}/subscriptions/consume`;
const NOTHING = { created: [], updated: [], replaced: [], left: [] };

it('a first start makes everything, and says so', async () => {
  const { created, ...rest } = await provision(MANIFEST, config);
  expect(created.toSorted()).toEqual(
    [
      `${place()}/jobs/sweep`,
      `${place()}/queues/work`,
      config.kms_key,
      subscription(),
      `projects/${config.project}/topics/events`,
      `projects/${config.project}/topics/purvey-deadletter`,
    ].toSorted(),
  );
  expect(rest).toEqual({ updated: [], replaced: [], left: [] });
});

it('a second start with the same manifest changes nothing', async () => {
  await provision(MANIFEST, config);
  expect(await provision(MANIFEST, config)).toEqual(NOTHING);
});

it('a second start updates what has changed', async () => {
  await provision(MANIFEST, config);
  const { work } = MANIFEST.queues;
  const { sweep } = MANIFEST.schedules;
  const changed: Manifest = {
    ...MANIFEST,
    queues: { work: { ...(work as NonNullable<typeof work>), max_attempts: 7 } },
    schedules: { sweep: { ...(sweep as NonNullable<typeof sweep>), cron: '0 6 * * *' } },
  };
  const elsewhere = { ...config, function_url: `${test.target.url}/elsewhere/{name}` };
  const done = await provision(changed, elsewhere);
  expect(done.updated.toSorted()).toEqual(
    [`${place()}/jobs/sweep`, `${place()}/queues/work`, subscription()].toSorted(),
  );
  expect({ ...done, updated: [] }).toEqual(NOTHING);
  const [queue] = await test.google.tasks.getQueue({ name: `${place()}/queues/work` });
  expect(queue.retryConfig?.maxAttempts).toBe(7);
  const [job] = await test.google.scheduler.getJob({ name: `${place()}/jobs/sweep` });
  expect(job).toMatchObject({
    schedule: '0 6 * * *',
    httpTarget: { uri: `${test.target.url}/elsewhere/sweep` },
  });
  const [reader] = await test.google.subscriber.getSubscription({ subscription: subscription() });
  expect(reader.pushConfig?.pushEndpoint).toContain('/elsewhere/consume?');
});

it('a changed filter makes the subscription anew, and says so', async () => {
  await provision(MANIFEST, config);
  const { consume } = MANIFEST.pubsub;
  const filter = 'attributes.kind = "score"';
  const changed = {
    ...MANIFEST,
    pubsub: { consume: { ...(consume as NonNullable<typeof consume>), filter } },
  };
  expect(await provision(changed, config)).toEqual({ ...NOTHING, replaced: [subscription()] });
  const [reader] = await test.google.subscriber.getSubscription({ subscription: subscription() });
  expect(reader.filter).toBe(filter);
});

it('what the manifest does not have any more is left, and named', async () => {
  await provision(MANIFEST, config);
  const less = { ...MANIFEST, pubsub: {}, schedules: {}, queues: {} };
  const { left, ...rest } = await provision(less, config);
  expect(left.toSorted()).toEqual(
    [`${place()}/jobs/sweep`, `${place()}/queues/work`, subscription()].toSorted(),
  );
  expect(rest).toEqual({ created: [], updated: [], replaced: [] });
  expect(test.cloud.scheduler.jobs()).toHaveLength(1);
});

it('a start with the same manifest keeps a run that was missed', async () => {
  await provision(MANIFEST, config);
  const [due] = test.cloud.scheduler.jobs();
  await provision(MANIFEST, config);
  expect(test.cloud.scheduler.jobs()[0]?.nextRunMs).toBe(due?.nextRunMs);
});
