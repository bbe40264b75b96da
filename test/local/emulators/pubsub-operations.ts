import fc from 'fast-check';

/**
 * What is compared. Left out is where Google's emulator differs from what Google documents: it takes ack
 * deadlines under 10 s and over 600 s. `docs/embedded-cloud-pubsub.md` has the list.
 */

/** Names are small numbers, so that operations meet; each run puts them into names of its own. */
export type Operation =
  | { readonly kind: 'create-topic'; readonly topic: number }
  | { readonly kind: 'delete-topic'; readonly topic: number }
  | { readonly kind: 'get-topic'; readonly topic: number }
  | {
      readonly kind: 'create-subscription';
      readonly subscription: number;
      readonly topic: number;
      readonly isOrdered: boolean;
    }
  | { readonly kind: 'delete-subscription'; readonly subscription: number }
  | { readonly kind: 'get-subscription'; readonly subscription: number }
  | { readonly kind: 'list' }
  | {
      readonly kind: 'publish';
      readonly topic: number;
      readonly messages: readonly {
        readonly isEmpty: boolean;
        readonly attributes: Readonly<Record<string, string>>;
        readonly key: string;
      }[];
    }
  /** Pulls until nothing more is there, and keeps what came. */
  | { readonly kind: 'pull'; readonly subscription: number }
  | { readonly kind: 'pull-none'; readonly subscription: number }
  /** Acknowledges, or gives a deadline to, every `every`-th message of those that are kept. */
  | { readonly kind: 'acknowledge'; readonly subscription: number; readonly every: number }
  | {
      readonly kind: 'modify';
      readonly subscription: number;
      readonly every: number;
      readonly ackDeadlineSeconds: number;
    };

// Deadlines run out by the clock, which an emulator does not lend: all are longer than a run.
export const DEADLINE_S = 600;

const topic = fc.nat({ max: 1 });
const subscription = fc.nat({ max: 2 });
const every = fc.integer({ min: 1, max: 3 });
const message = fc.record({
  isEmpty: fc.boolean(),
  attributes: fc.dictionary(fc.constantFrom('a', 'b', 'ü'), fc.string({ maxLength: 5 }), {
    maxKeys: 2,
  }),
  key: fc.constantFrom('', '', 'k1', 'k2'),
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('create-topic' as const), topic }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete-topic' as const), topic }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('get-topic' as const), topic }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('create-subscription' as const),
      subscription,
      topic,
      isOrdered: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete-subscription' as const), subscription }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('get-subscription' as const), subscription }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('list' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      topic,
      messages: fc.array(message, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pull' as const), subscription }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pull-none' as const), subscription }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), subscription, every }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('modify' as const),
      subscription,
      every,
      // Production, but not the emulator, refuses more than 600 s.
      ackDeadlineSeconds: fc.constantFrom(0, 0, DEADLINE_S, -1),
    }),
  },
);

/** Begins with a topic and two subscriptions, or most sequences would fail from end to end. */
export const sequence: fc.Arbitrary<Operation[]> = fc
  .array(operation, { minLength: 5, maxLength: 25 })
  .map((operations) => [
    { kind: 'create-topic', topic: 0 },
    ...[false, true].map((isOrdered, index) => ({
      kind: 'create-subscription' as const,
      subscription: index,
      topic: 0,
      isOrdered,
    })),
    ...operations,
  ]);
