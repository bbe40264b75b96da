import { Firestore } from '@google-cloud/firestore';
import { afterEach, describe, expect, it } from 'vitest';

import {
  LOCATION,
  PROJECT,
  startTestCloud,
  type TestCloud,
  temporaryFile,
} from '../support/cloud.ts';

const QUEUE = `${LOCATION}/queues/work`;
const TOPIC = `projects/${PROJECT}/topics/events`;
const SUBSCRIPTION = `projects/${PROJECT}/subscriptions/reader`;
const RING = `${LOCATION}/keyRings/ring`;
const KEY = `${RING}/cryptoKeys/key`;
const JOB = `${LOCATION}/jobs/j`;

let test: TestCloud;
let firestore: Firestore;
afterEach(async () => {
  await firestore.terminate();
  await test.stop();
});

const connect = () =>
  new Firestore({ projectId: PROJECT, host: `127.0.0.1:${test.cloud.port}`, ssl: false });

/** Something in every product. */
async function fill() {
  const { tasks, publisher, subscriber, kms, scheduler } = test.google;
  firestore = connect();
  await firestore.doc('things/a').set({ n: 1 });
  await tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
  await tasks.pauseQueue({ name: QUEUE });
  const task = { name: `${QUEUE}/tasks/t`, httpRequest: { url: test.target.url } };
  await tasks.createTask({ parent: QUEUE, task });
  await publisher.createTopic({ name: TOPIC });
  await subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC });
  await publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from('kept') }] });
  await kms.createKeyRing({ parent: LOCATION, keyRingId: 'ring', keyRing: {} });
  const cryptoKey = { purpose: 'ENCRYPT_DECRYPT' as const };
  await kms.createCryptoKey({ parent: RING, cryptoKeyId: 'key', cryptoKey });
  const job = { name: JOB, schedule: '0 0 1 1 *', httpTarget: { uri: test.target.url } };
  await scheduler.createJob({ parent: LOCATION, job });
  const [{ ciphertext }] = await kms.encrypt({ name: KEY, plaintext: Buffer.from('secret') });
  return ciphertext as Buffer;
}

/** Undoes and overwrites all of it. */
async function wreck() {
  const { tasks, publisher, subscriber, kms, scheduler } = test.google;
  await firestore.doc('things/a').set({ n: 2 });
  await firestore.doc('things/b').set({ n: 3 });
  await tasks.deleteQueue({ name: QUEUE });
  await publisher.deleteTopic({ topic: TOPIC });
  await subscriber.deleteSubscription({ subscription: SUBSCRIPTION });
  await kms.destroyCryptoKeyVersion({ name: `${KEY}/cryptoKeyVersions/1` });
  await scheduler.deleteJob({ name: JOB });
}

/** What there is of it, in one value. */
async function found(ciphertext: Buffer) {
  const { tasks, publisher, subscriber, kms, scheduler } = test.google;
  const documents = await firestore.collection('things').get();
  const [queue] = await tasks.getQueue({ name: QUEUE });
  const [kept] = await tasks.listTasks({ parent: QUEUE });
  const [topic] = await publisher.getTopic({ topic: TOPIC });
  const [pulled] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 9 });
  const [decrypted] = await kms.decrypt({ name: KEY, ciphertext });
  const [job] = await scheduler.getJob({ name: JOB });
  return {
    documents: documents.docs.map((document) => [document.id, document.data()]),
    queue: queue.state,
    tasks: kept.map(({ name }) => name),
    topic: topic.name,
    messages: pulled.receivedMessages?.map(({ message }) => message?.data?.toString()),
    text: decrypted.plaintext?.toString(),
    schedule: job.schedule,
  };
}

const FILLED = {
  documents: [['a', { n: 1 }]],
  queue: 'PAUSED',
  tasks: [`${QUEUE}/tasks/t`],
  topic: TOPIC,
  messages: ['kept'],
  text: 'secret',
  schedule: '0 0 1 1 *',
};

describe('a snapshot', () => {
  it('brings every product back to where it was, as often as asked', async () => {
    test = await startTestCloud();
    const ciphertext = await fill();
    const snapshot = test.cloud.snapshot();
    for (let round = 0; round < 2; round++) {
      await wreck();
      await test.cloud.restore(snapshot);
      expect(await found(ciphertext)).toEqual(FILLED);
      await test.cloud.restore(snapshot);
    }
  });

  it('outlives a restart once it is restored', async () => {
    test = await startTestCloud(undefined, { file: temporaryFile() });
    const ciphertext = await fill();
    const snapshot = test.cloud.snapshot();
    await wreck();
    await test.cloud.restore(snapshot);
    await firestore.terminate();
    await test.restart();
    firestore = connect();
    expect(await found(ciphertext)).toEqual(FILLED);
  });

  it('goes into another embedded cloud', async () => {
    test = await startTestCloud();
    const ciphertext = await fill();
    const snapshot = test.cloud.snapshot();
    await firestore.terminate();
    await test.stop();
    test = await startTestCloud();
    firestore = connect();
    await test.cloud.restore(snapshot);
    expect(await found(ciphertext)).toEqual(FILLED);
  });

  it('leaves deliveries in flight without effect', async () => {
    test = await startTestCloud((_, nth) => (nth === 1 ? 'hang' : 200));
    await fill();
    const snapshot = test.cloud.snapshot();
    await test.google.tasks.resumeQueue({ name: QUEUE });
    await test.target.received(1);
    await test.cloud.restore(snapshot);
    test.target.release();
    await test.cloud.idle();
    expect(test.cloud.tasks.tasks()).toHaveLength(1);
    await test.google.tasks.resumeQueue({ name: QUEUE });
    await test.cloud.idle();
    expect(test.target.requests).toHaveLength(2);
    expect(test.cloud.tasks.tasks()).toEqual([]);
  });
});
