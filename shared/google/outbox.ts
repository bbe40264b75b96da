import { z } from 'zod';

import { collection, ref } from '../store/collection.ts';
import type { Command, DomainEvent, TaskRequest } from '../store/decision.ts';
import { remove } from '../store/decision.ts';
import { envelopeOf } from '../runtime/event-envelope.ts';
import type { Effects, Outbox, PublishedEvent, Store } from '../runtime/services.ts';
import type { Log } from '../runtime/log.ts';

/** What one commit still has to hand on. Kept as JSON: effects are never queried, only replayed. */
const OutboxEntry = z.object({
  command_id: z.string(),
  effects: z.string(),
  /** Exempt from indexes, so that a steady stream of commits has no hot index range. */
  created_at: z.date(),
});
export type OutboxEntry = z.infer<typeof OutboxEntry>;
export const outboxEntries = collection('outbox', OutboxEntry);

interface PendingEffects {
  readonly events: readonly PublishedEvent[];
  readonly tasks: readonly (Omit<TaskRequest, 'at'> & { readonly at?: string })[];
}

export function outboxEntry(
  command: Command,
  events: readonly DomainEvent[],
  tasks: readonly TaskRequest[],
): OutboxEntry {
  const pending: PendingEffects = {
    events: events.map((event, index) => envelopeOf(event, index, command.at)),
    tasks: tasks.map(({ at, ...task }) => ({ ...task, ...(at && { at: at.toISOString() }) })),
  };
  return { command_id: command.id, effects: JSON.stringify(pending), created_at: command.at };
}

/** Publishes and enqueues what an entry holds. Repeating it is harmless: ids and names are the same. */
export async function handOn(entry: OutboxEntry, effects: Effects): Promise<void> {
  const pending = JSON.parse(entry.effects) as PendingEffects;
  const tasks = pending.tasks.map(({ at, ...task }) => ({
    ...task,
    ...(at && { at: new Date(at) }),
  }));
  await Promise.all([effects.publish(pending.events), effects.enqueue(tasks)]);
}

/** Entries that a relay run looks at in one read. */
const PAGE = 100;
/** Entries handed on at once: one that cannot be holds up few others. */
const PARALLEL = 10;

export function createOutbox(
  store: Pick<Store, 'write'> & {
    listOutbox(
      limit: number,
      after: string | undefined,
    ): Promise<{ id: string; doc: OutboxEntry }[]>;
  },
  effects: Effects,
  log: Log,
  now: () => Date,
): Outbox {
  async function relayed({ id, doc }: { id: string; doc: OutboxEntry }): Promise<boolean> {
    try {
      await handOn(doc, effects);
      await store.write([remove(ref(outboxEntries, id))]);
      return true;
    } catch (error) {
      log.error({ err: error, command_id: doc.command_id }, 'outbox entry could not be relayed');
      return false;
    }
  }

  return {
    async relay({ minAgeMs, budgetMs, after: from }) {
      const startedMs = now().getTime();
      const counts = { relayed: 0, left: 0 };
      let after = from ?? undefined;
      for (;;) {
        const page = await store.listOutbox(PAGE, after);
        const due = page.filter(({ doc }) => startedMs - doc.created_at.getTime() >= minAgeMs);
        while (due.length > 0) {
          const results = await Promise.all(due.splice(0, PARALLEL).map(relayed));
          for (const isDone of results) counts[isDone ? 'relayed' : 'left']++;
        }
        if (page.length < PAGE) return { ...counts, next: null };
        after = page.at(-1)?.id;
        if (now().getTime() - startedMs > budgetMs) return { ...counts, next: after ?? null };
      }
    },
  };
}
