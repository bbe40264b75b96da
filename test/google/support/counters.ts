import { z } from 'zod';

import type { IssuedCommand } from '../../../shared/runtime/services.ts';
import { type Ref, collection, ref } from '../../../shared/store/collection.ts';
import { type DomainEvent, type Rule, set } from '../../../shared/store/decision.ts';

const Counter = z.object({ n: z.int(), label: z.string().default('') });
export type Counter = z.infer<typeof Counter>;

export const counters = collection('counters', Counter);

let names = 0;
/** A document that no other test uses. */
export const newCounter = (): Ref<Counter> => ref(counters, `counter-${++names}`);

let commands = 0;
/** A command as an invocation issues it; a key makes it the same command each time. */
export const commandAt = (at: Date, key?: string): IssuedCommand => ({
  id: `cmd_${key ?? `unkeyed-${++commands}`}`,
  at,
  keyed: key !== undefined,
});

/** Adds one: applied twice, it shows. */
export const increment =
  (counter: Ref<Counter>): Rule<{ counter: Ref<Counter> }, number> =>
  (docs) => {
    const n = (docs.counter?.n ?? 0) + 1;
    return { writes: [set(counter, { n, label: '' })], reply: n };
  };

/** Adds one and says so. */
export const announcedIncrement =
  (counter: Ref<Counter>): Rule<{ counter: Ref<Counter> }, number> =>
  (docs, command) => {
    const decision = increment(counter)(docs, command);
    return { ...decision, events: [incremented(counter, decision.reply)] };
  };

export const incremented = (counter: Ref<Counter>, n: number): DomainEvent => ({
  topic: 'aex-provider-events',
  type: 'counter.incremented',
  subject: counter.path,
  version: n,
  fields: { n },
});
