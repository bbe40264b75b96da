import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { type Operation, sequence } from './pubsub-operations.ts';
import { type Answer, connect, createSide } from './pubsub-side.ts';

// Keeps Google's client from looking for a metadata server.
process.env['METADATA_SERVER_DETECTION'] = 'none';

/** `host:port` of the server to compare ours with; `npm run test:emulators` sets it. */
const emulator = process.env['PUBSUB_EMULATOR_UNDER_TEST'];
const RUNS = Number(process.env['PUBSUB_DIFFERENTIAL_RUNS'] ?? 50);
const SUBSCRIPTIONS = [0, 1, 2];

/** How many messages there were. */
const sizeOf = (answer: Answer) =>
  'value' in answer && Array.isArray(answer.value) ? answer.value.length : 0;

/** Ordering is a promise only where the subscription asked for it when it was made. */
function orderedAtEnd(operations: readonly Operation[], answers: readonly Answer[]): Set<number> {
  const ordered = new Set<number>();
  for (const [index, operation] of operations.entries()) {
    if (!('value' in (answers[index] ?? {}))) continue;
    if (operation.kind === 'create-subscription' && operation.isOrdered)
      ordered.add(operation.subscription);
    if (operation.kind === 'delete-subscription') ordered.delete(operation.subscription);
  }
  return ordered;
}

describe.skipIf(!emulator)("beside Google's emulator", () => {
  let ours: Cloud;
  let clients: readonly [ReturnType<typeof connect>, ReturnType<typeof connect>];
  beforeAll(async () => {
    ours = await startCloud({ project: 'purvey-differential' });
    clients = [connect(`127.0.0.1:${ours.port}`), connect(emulator ?? '')];
  });
  afterAll(async () => {
    for (const { publisher, subscriber } of clients) {
      await publisher.close();
      await subscriber.close();
    }
    await ours.close();
  });

  test('sequences of publishing, pulling and acknowledging come to the same', async () => {
    let run = 0;
    const playBoth = async (operations: readonly Operation[]) => {
      const id = `${process.pid}-${run++}`;
      const [one, other] = [createSide(clients[0], id), createSide(clients[1], id)];
      const answers: Answer[] = [];
      for (const [index, operation] of operations.entries()) {
        const answer = await one.perform(operation);
        const theirs = await other.perform(operation, sizeOf(answer));
        const at = `${index}: ${JSON.stringify(operation)}`;
        expect({ at, answer: theirs }).toEqual({ at, answer });
        answers.push(answer);
      }
      const ordered = orderedAtEnd(operations, answers);
      for (const subscription of SUBSCRIPTIONS) {
        const isOrdered = ordered.has(subscription);
        const left = await one.drain(subscription, isOrdered, 0);
        const theirs = await other.drain(subscription, isOrdered, sizeOf(left));
        const at = `what is left in ${subscription}`;
        expect({ at, answer: theirs }).toEqual({ at, answer: left });
      }
    };
    await fc.assert(fc.asyncProperty(sequence, playBoth), { numRuns: RUNS });
  });
});
