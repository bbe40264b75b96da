import { z } from 'zod';

import {
  type Publication,
  type Replayed,
  type Reopening,
  replayDeadLetter,
  replayOf,
  replayRefs,
  replayedView,
} from '../../shared/dead-letters/replay.ts';
import { deadLetters } from '../../shared/dead-letters/schema.ts';
import { AppError, notFound } from '../../shared/errors.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { oncePerKey } from '../../shared/runtime/idempotency.ts';
import { manifest } from '../../shared/runtime/manifest.ts';
import type { PublishedEvent } from '../../shared/runtime/services.ts';
import type { RequestContext } from '../../shared/runtime/context.ts';
import { ref } from '../../shared/store/collection.ts';
import { Timestamp } from '../../shared/time.ts';

/** Longer than publishing takes. Until then, another replay of the same message has to wait. */
const PUBLISH_LEASE_MS = 60_000;

export default endpoint('replay-dead-letter', {
  summary: 'Take up again what a dead letter tells of, once; safe to repeat',
  description:
    'A failed delivery is tried again at once and, if it fails again, leaves another dead letter. A message that nobody could handle is published to its topic as it was. Repeated, it answers when the dead letter was replayed and does nothing. 409 says why something cannot be taken up again; the dead letter then stays open.',
  reply: z.object({
    dead_letter_id: z.string(),
    status: z.literal('REPLAYED'),
    replayed_at: Timestamp,
    /** The function that has the work again. */
    replayed: z.string(),
  }),
  errors: ['conflict', 'rfq_closed'],
  handle: async ({ params: { dead_letter_id = '' } }, context) => {
    const letter = await context.store.get(ref(deadLetters, dead_letter_id));
    if (!letter) throw notFound('dead letter');
    const before = replayedView(letter);
    if (before) return before;
    const replay = replayOf(letter, (subscription) => manifest().pubsub[subscription]?.topic);
    const replayed =
      replay.kind === 'reopen'
        ? await marked(dead_letter_id, replay.reopening, context)
        : await republished(dead_letter_id, replay.publication, context);
    context.log.info({ event: 'dead_letter.replayed', ...replayed }, 'dead letter replayed');
    return replayed;
  },
});

async function marked(
  dead_letter_id: string,
  reopening: Reopening | null,
  { store, command }: RequestContext,
): Promise<Replayed> {
  const replaying = command({ dead_letter_id, reopening });
  return (await store.apply(replaying, replayRefs(replaying), replayDeadLetter)).reply;
}

/**
 * Publishes, then marks: one that fails in between is published again by the next call, and whoever
 * takes the message knows it by its id.
 */
async function republished(
  dead_letter_id: string,
  publication: Publication,
  context: RequestContext,
): Promise<Replayed> {
  const once = {
    scopedKey: `replay-dead-letter\n${dead_letter_id}`,
    request: dead_letter_id,
    leaseMs: PUBLISH_LEASE_MS,
  };
  try {
    const { body } = await oncePerKey(context, once, [], async () => {
      await publish(publication, context);
      return { status: 200, body: await marked(dead_letter_id, null, context) };
    });
    return body as Replayed;
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'request_in_progress')) throw error;
    throw new AppError(error.code, 'Another request is replaying it; repeat this for its answer.', {
      ...(error.retryAfterS !== undefined && { retryAfterS: error.retryAfterS }),
    });
  }
}

async function publish(
  { topic, attributes, message }: Publication,
  { effects }: RequestContext,
): Promise<void> {
  try {
    // Any topic of the manifest, also those that we otherwise only read.
    await effects.publish([
      { topic: topic as PublishedEvent['topic'], attributes, envelope: message },
    ]);
  } catch (error) {
    throw new AppError('unavailable', 'It could not be published; try again shortly.', {
      cause: error,
    });
  }
}
