import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

import { startCloud } from '../../../local/cloud.ts';
import { connect, LOCATION, PROJECT, temporaryFile } from '../support/cloud.ts';
import { startTarget } from '../support/target.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const QUEUE = `${LOCATION}/queues/work`;
const RING = `${LOCATION}/keyRings/ring`;
const KEY = `${RING}/cryptoKeys/key`;
const TOPIC = `projects/${PROJECT}/topics/events`;
const SUBSCRIPTION = `projects/${PROJECT}/subscriptions/reader`;

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

/** Starts the other process and resolves with its port. */
async function startChild(file: string): Promise<number> {
  const started = spawn(process.execPath, [CHILD, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  const [chunk] = (await once(started.stdout, 'data')) as [Buffer];
  return Number(chunk.toString());
}

async function kill(): Promise<void> {
  if (!child) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('one file', () => {
  it('cannot be opened twice by one process', async () => {
    const file = temporaryFile();
    const first = await startCloud({ project: PROJECT, file });
    await expect(startCloud({ project: PROJECT, file })).rejects.toThrow(
      `another process is using ${file}; stop it first`,
    );
    await first.close();
    await (await startCloud({ project: PROJECT, file })).close();
  });

  it('cannot be opened by a second process, but can once the first is killed', async () => {
    const file = temporaryFile();
    await startChild(file);
    await expect(startCloud({ project: PROJECT, file })).rejects.toThrow(/stop it first/);
    await kill();
    await (await startCloud({ project: PROJECT, file })).close();
  });
});

describe('what was acknowledged', () => {
  it('outlives a killed process, in every product', async () => {
    const file = temporaryFile();
    const target = await startTarget();
    const google = connect(await startChild(file));
    await google.tasks.createQueue({ parent: LOCATION, queue: { name: QUEUE } });
    await google.tasks.pauseQueue({ name: QUEUE });
    const httpRequest = { url: `${target.url}/task` };
    await google.tasks.createTask({ parent: QUEUE, task: { httpRequest } });
    await google.publisher.createTopic({ name: TOPIC });
    await google.subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC });
    await google.publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from('kept') }] });
    await google.kms.createKeyRing({ parent: LOCATION, keyRingId: 'ring', keyRing: {} });
    const cryptoKey = { purpose: 'ENCRYPT_DECRYPT' as const };
    await google.kms.createCryptoKey({ parent: RING, cryptoKeyId: 'key', cryptoKey });
    const plaintext = Buffer.from('secret');
    const [encrypted] = await google.kms.encrypt({ name: KEY, plaintext });
    const ciphertext = encrypted.ciphertext as Buffer;
    const job = {
      name: `${LOCATION}/jobs/j`,
      schedule: '0 0 1 1 *',
      httpTarget: { uri: target.url },
    };
    await google.scheduler.createJob({ parent: LOCATION, job });
    await kill();
    await google.close();

    const cloud = await startCloud({ project: PROJECT, file });
    const again = connect(cloud.port);
    await again.tasks.resumeQueue({ name: QUEUE });
    await cloud.idle();
    expect(target.requests.map((request) => request.path)).toEqual(['/task']);
    const [pulled] = await again.subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 9 });
    expect(pulled.receivedMessages?.map(({ message }) => message?.data?.toString())).toEqual([
      'kept',
    ]);
    const [decrypted] = await again.kms.decrypt({ name: KEY, ciphertext });
    expect(decrypted.plaintext?.toString()).toBe('secret');
    expect(cloud.scheduler.jobs()).toHaveLength(1);
    await again.close();
    await cloud.close();
    await target.stop();
  });
});
