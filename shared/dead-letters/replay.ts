import { z } from 'zod';

import { AppError, notFound } from '../errors.ts';
import { reopenTaskExecution, taskExecutionRefs } from '../execution/task-execution.ts';
import { GivenId } from '../ids.ts';
import { reopenDelivery, reopenDeliveryRefs } from '../rfqs/reopen-delivery.ts';
import { type Ref, ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type DeadLetter, deadLetters } from './schema.ts';

type Refs = Record<string, Ref<unknown>>;
type Payload = DeadLetter['replay']['payload'];

/** What a replay changes of the failed work, in the commit that marks its letter. */
export interface Reopening {
  readonly refs: Refs;
  /** @throws {AppError} when the work cannot be taken up again; the letter then stays open */
  decide(docs: Docs<Refs>, command: Command): Decision<unknown>;
}

/** A message as its topic takes it. */
export interface Publication {
  readonly topic: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly message: Readonly<Record<string, unknown>>;
}

/**
 * How a dead letter is replayed: by reopening the failed work, which enqueues its own task, or by
 * publishing its message again.
 */
export type Replay =
  | { readonly kind: 'reopen'; readonly reopening: Reopening }
  | { readonly kind: 'publish'; readonly publication: Publication };

/** How the work of each task function that leaves dead letters is reopened. Another is added here. */
const reopenings: ReadonlyMap<string, (payload: Payload) => Reopening> = new Map([
  [
    'deliver-rfq',
    reopeningBy(
      z.object({ rfq_id: GivenId, provider_id: GivenId, subscription_id: GivenId }),
      reopenDeliveryRefs,
      reopenDelivery,
    ),
  ],
  [
    'run-provider-task',
    reopeningBy(z.object({ task_execution_id: GivenId }), taskExecutionRefs, reopenTaskExecution),
  ],
]);

/**
 * @param names what the payload says of the work
 * @param refsOf the documents that `decide` is given
 */
function reopeningBy<Names, R extends Refs>(
  names: z.ZodType<Names>,
  refsOf: (named: Names) => R,
  decide: (docs: Docs<R>, command: Command) => Decision<unknown>,
): (payload: Payload) => Reopening {
  return (payload) => ({ refs: refsOf(payloadAs(names, payload)), decide });
}

/** As `salvaged` keeps a message. */
const Message = z.object({ attributes: z.record(z.string(), z.string()), text: z.string() });

/**
 * @param topicOf the topic of one of our Pub/Sub subscriptions; undefined for any other
 * @throws {AppError} `conflict` saying why there is no replaying it
 */
export function replayOf(
  letter: DeadLetter,
  topicOf: (subscription: string) => string | undefined,
): Replay {
  const { replay } = letter;
  const reopening = reopenings.get(replay.function);
  if (reopening) return { kind: 'reopen', reopening: reopening(letter.replay.payload) };
  const topic = topicOf(replay.function);
  if (topic === undefined)
    throw new AppError(
      'conflict',
      `Nothing is known that would replay ${replay.function}: it is neither a task whose work can be reopened nor one of our subscriptions.`,
    );
  const { attributes, text } = payloadAs(Message, replay.payload);
  return {
    kind: 'publish',
    publication: { topic, attributes: withoutSource(attributes), message: eventIn(text) },
  };
}

function payloadAs<T>(schema: z.ZodType<T>, payload: Payload): T {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new AppError('conflict', 'Its payload does not say what to take up again.');
}

/** Pub/Sub adds them when it gives a message up. */
const withoutSource = (attributes: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(attributes).filter(([name]) => !name.startsWith('CloudPubSubDeadLetter')),
  );

function eventIn(text: string): Record<string, unknown> {
  const parsed = z.record(z.string(), z.unknown()).safeParse(jsonIn(text));
  if (parsed.success) return parsed.data;
  throw new AppError(
    'conflict',
    'Its message is no JSON object, or was too long to be kept whole: its publisher has to send it again.',
  );
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface ReplayCommand extends Command {
  readonly dead_letter_id: string;
  /** Null for one whose replay needs no more than to be noted. */
  readonly reopening: Reopening | null;
}

/** POST /api/v1/dead-letters/{dead_letter_id}/replay. */
export interface Replayed {
  readonly dead_letter_id: string;
  readonly status: 'REPLAYED';
  readonly replayed_at: string;
  /** The function that has the work again. */
  readonly replayed: string;
}

export const replayRefs = ({
  dead_letter_id,
  reopening,
}: Pick<ReplayCommand, 'dead_letter_id' | 'reopening'>): Refs & { letter: Ref<DeadLetter> } => ({
  ...reopening?.refs,
  letter: ref(deadLetters, dead_letter_id),
});

/**
 * Reopens the failed work and marks the letter, both or neither. One that was replayed stays as it is,
 * and answers when that was.
 *
 * @throws {AppError} `not_found`, or what the reopening refuses with
 */
export function replayDeadLetter(
  docs: Docs<ReturnType<typeof replayRefs>>,
  command: ReplayCommand,
): Decision<Replayed> {
  const { letter } = docs;
  if (!letter) throw notFound('dead letter');
  const before = replayedView(letter);
  if (before) return { writes: [], reply: before };
  const replayed_at = command.at.toISOString();
  const next = { ...letter, status: 'REPLAYED' as const, replayed_at, version: letter.version + 1 };
  const decided = command.reopening?.decide(docs, command);
  return {
    ...decided,
    writes: [...(decided?.writes ?? []), set(ref(deadLetters, letter.dead_letter_id), next)],
    reply: viewOf(next, replayed_at),
  };
}

/** The answer about a letter that was replayed; null for an open one. */
export const replayedView = (letter: DeadLetter): Replayed | null =>
  letter.replayed_at === null ? null : viewOf(letter, letter.replayed_at);

const viewOf = ({ dead_letter_id, replay }: DeadLetter, replayed_at: string): Replayed => ({
  dead_letter_id,
  status: 'REPLAYED',
  replayed_at,
  replayed: replay.function,
});
