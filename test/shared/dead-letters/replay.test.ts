import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import {
  replayDeadLetter,
  replayOf,
  replayRefs,
  replayedView,
} from '../../../shared/dead-letters/replay.ts';
import { salvaged } from '../../../shared/dead-letters/salvage.ts';
import { type DeadLetter, deadLetters } from '../../../shared/dead-letters/schema.ts';
import { AppError } from '../../../shared/errors.ts';
import { collection, ref } from '../../../shared/store/collection.ts';
import { set } from '../../../shared/store/decision.ts';
import { at, command, docAt, errorOf, later } from '../examples.ts';

const recipient = { rfq_id: 'rfq_1', provider_id: 'prov_1', subscription_id: 'sub_1' };

const aLetter = (changes: Partial<DeadLetter> = {}): DeadLetter => ({
  dead_letter_id: 'dl_1',
  tenant_id: 'acme',
  campaign_id: 'rfq_1',
  task_name: 'deliver-rfq',
  provider_name: 'prov_1',
  capability: 'webhook_delivery',
  operation: 'rfq.published',
  idempotency_key: 'msg_1',
  correlation_id: 'rfq_1',
  reason_code: 'timeout',
  error_type: 'DeliveryFailed',
  error_message: 'no answer within 10 s',
  attempts: 3,
  occurred_at: '2026-03-01T11:00:00.000Z',
  status: 'OPEN',
  replay: { function: 'deliver-rfq', payload: { ...recipient, n: 3 } },
  replayed_at: null,
  version: 1,
  ...changes,
});

/** A message as `record-dead-letter` keeps it. */
const aMessage = (text: string, attributes: Record<string, string> = {}): DeadLetter =>
  salvaged(
    {
      id: '77',
      text,
      attributes: {
        event_type: 'contract.completed',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: 'record-outcome',
        CloudPubSubDeadLetterSourceSubscriptionProject: 'purvey',
        CloudPubSubDeadLetterSourceTopicPublishTime: '2026-03-01T11:00:00.000Z',
        ...attributes,
      },
    },
    at,
  );

const topicOf = (subscription: string) =>
  subscription === 'record-outcome' ? 'aex-contract-events' : undefined;

describe('how a dead letter is replayed', () => {
  it('of a delivery: by reopening it', () => {
    const replay = replayOf(aLetter(), topicOf);
    expect(replay).toMatchObject({
      kind: 'reopen',
      reopening: { refs: { delivery: { path: 'rfqs/rfq_1/deliveries/prov_1' } } },
    });
  });

  it('of a provider task: by reopening its execution', () => {
    const replay = { function: 'run-provider-task', payload: { task_execution_id: 'tex_1', n: 4 } };
    expect(replayOf(aLetter({ replay }), topicOf)).toMatchObject({
      kind: 'reopen',
      reopening: { refs: { execution: { path: 'task_executions/tex_1' } } },
    });
  });

  it('of a message that Pub/Sub gave up: by publishing it as it was', () => {
    expect(replayOf(aMessage('{"contract_id":"con_1","n":[1,{"a":null}]}'), topicOf)).toEqual({
      kind: 'publish',
      publication: {
        topic: 'aex-contract-events',
        attributes: { event_type: 'contract.completed' },
        message: { contract_id: 'con_1', n: [1, { a: null }] },
      },
    });
  });

  it.each<[string, DeadLetter, RegExp]>([
    [
      'a function that nothing is known of',
      aLetter({ replay: { function: 'unheard-of', payload: {} } }),
      /unheard-of/,
    ],
    [
      "a name of JavaScript's own",
      aLetter({ replay: { function: 'constructor', payload: {} } }),
      /constructor/,
    ],
    [
      'a subscription that is not ours',
      aMessage('{}', { CloudPubSubDeadLetterSourceSubscription: 'theirs' }),
      /theirs/,
    ],
    ['text that is no JSON', aMessage('what is this?'), /no JSON object/],
    ['JSON that is no event', aMessage('[1]'), /no JSON object/],
    [
      'text that was too long to be kept',
      aMessage(JSON.stringify({ x: 'y'.repeat(100_000) })),
      /too long/,
    ],
    [
      'a payload that names no delivery',
      aLetter({ replay: { function: 'deliver-rfq', payload: { rfq_id: 'a/b' } } }),
      /payload/,
    ],
    [
      'a payload that is no message',
      aLetter({ replay: { function: 'record-outcome', payload: { text: 5 } } }),
      /payload/,
    ],
  ])('there is none for %s, and the refusal says why', (_, letter, message) => {
    expect(errorOf(() => replayOf(letter, topicOf))).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(message),
    });
  });
});

const works = collection('works', z.object({ state: z.string() }));
const work = ref(works, 'w1');
const reopening = {
  refs: { work },
  decide: () => ({
    writes: [set(work, { state: 'retrying' })],
    tasks: [{ function: 'deliver-rfq', name: 'again', payload: {} }],
    reply: 'its own',
  }),
};
const letterRef = ref(deadLetters, 'dl_1');
const replaying = { ...command(), dead_letter_id: 'dl_1', reopening };

describe('replaying', () => {
  it('reads the letter beside what the work needs', () => {
    expect(replayRefs(replaying)).toEqual({ work, letter: letterRef });
    expect(replayRefs({ dead_letter_id: 'dl_1', reopening: null })).toEqual({ letter: letterRef });
  });

  it('reopens the work and marks the letter in one commit', () => {
    const decision = replayDeadLetter({ letter: aLetter(), work: null }, replaying);
    expect(docAt(decision, work)).toEqual({ state: 'retrying' });
    expect(docAt(decision, letterRef)).toEqual({
      ...aLetter(),
      status: 'REPLAYED',
      replayed_at: at.toISOString(),
      version: 2,
    });
    expect(decision.tasks).toHaveLength(1);
    expect(decision.reply).toEqual({
      dead_letter_id: 'dl_1',
      status: 'REPLAYED',
      replayed_at: at.toISOString(),
      replayed: 'deliver-rfq',
    });
  });

  it('a second time does nothing, and answers as the first did', () => {
    const first = replayDeadLetter({ letter: aLetter() }, replaying);
    const second = replayDeadLetter(
      { letter: docAt(first, letterRef) },
      { ...replaying, ...command(), at: later(60) },
    );
    expect(second).toEqual({ writes: [], reply: first.reply });
    expect(replayedView(docAt(first, letterRef) ?? aLetter())).toEqual(first.reply);
    expect(replayedView(aLetter())).toBeNull();
  });

  it('of what cannot be reopened refuses as the reopening does, and decides nothing', () => {
    const refusing = {
      refs: {},
      decide: () => {
        throw new AppError('rfq_closed', 'too late');
      },
    };
    expect(
      errorOf(() => replayDeadLetter({ letter: aLetter() }, { ...replaying, reopening: refusing })),
    ).toMatchObject({ code: 'rfq_closed' });
  });

  it('that needs no more than a note writes the letter alone', () => {
    const decision = replayDeadLetter({ letter: aLetter() }, { ...replaying, reopening: null });
    expect(decision.writes).toHaveLength(1);
    expect(docAt(decision, letterRef)?.status).toBe('REPLAYED');
  });

  it('needs the letter', () => {
    expect(errorOf(() => replayDeadLetter({ letter: null }, replaying))).toMatchObject({
      code: 'not_found',
    });
  });
});
