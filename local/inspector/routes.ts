import { setTimeout as delay } from 'node:timers/promises';

import { z } from 'zod';

import type { Cloud } from '../cloud.ts';
import type { Meter } from '../kernel/meter.ts';
import type { DeliveryLog } from './deliveries.ts';
import { isoTime } from './display.ts';
import { createDocumentViews, GetDocument, ListDocuments } from './documents.ts';
import { listKeys } from './keys.ts';
import { listQueues, pauseQueue, resumeQueue, runTask } from './queues.ts';
import { listSchedules, runSchedule } from './schedules.ts';
import { listTopics } from './topics.ts';

/** What there is to look at. */
export interface Inspected {
  readonly cloud: Cloud;
  readonly deliveries: DeliveryLog;
  readonly operatorKey: string;
  /** `projects/P/locations/L`, where the queues are. */
  readonly location: string;
}

/** Answers with JSON; `input` is the query of a GET or the body of a POST. */
export type Route = (input: unknown) => unknown;

const ADVANCE_MS_MAX = 366 * 24 * 3_600_000;
/** How long an action waits for what it sets off, so that the next look shows it. */
const SETTLE_MS = 1_000;

const Nothing = z.strictObject({});
const Named = z.strictObject({ name: z.string().min(1) });
const Advance = z.strictObject({
  advance_ms: z.number().int().min(1).max(ADVANCE_MS_MAX),
});

const route =
  <Schema extends z.ZodType>(schema: Schema, answer: (input: z.infer<Schema>) => unknown): Route =>
  (input) =>
    answer(schema.parse(input));

/** Every route of the API below /_local/api, by method and path. */
export function createRoutes({ cloud, deliveries, location }: Inspected): Record<string, Route> {
  const { clock, firestore, kms, meter, project, pubsub, scheduler, tasks } = cloud;
  const documents = createDocumentViews(firestore, project);
  const showClock = () => ({
    now: isoTime(clock.nowMs()),
    /** How far it is ahead of this machine's. */
    ahead_ms: Math.round(clock.nowMs() - Date.now()),
  });
  const settled = () => Promise.race([cloud.idle(), delay(SETTLE_MS, undefined, { ref: false })]);

  return {
    'GET /overview': route(Nothing, () => ({
      project,
      clock: showClock(),
      counts: {
        documents: firestore.snapshot().size,
        tasks: tasks.tasks().length,
        messages: pubsub.outstanding().length,
        deliveries: deliveries.sent,
        schedules: scheduler.jobs().length,
        keys: kms.keys().length,
      },
    })),
    'GET /collections': route(Nothing, () => documents.collections()),
    'GET /documents': route(ListDocuments, (query) => documents.list(query)),
    'GET /document': route(GetDocument, (query) => documents.get(query)),
    'GET /queues': route(Nothing, () => listQueues(tasks, location)),
    'GET /topics': route(Nothing, () => listTopics(pubsub, project)),
    'GET /deliveries': route(Nothing, () => ({ deliveries: deliveries.recent() })),
    'GET /schedules': route(Nothing, () => listSchedules(scheduler)),
    'GET /keys': route(Nothing, () => listKeys(kms)),
    'GET /counters': route(Nothing, () => showCounters(meter)),
    'GET /clock': route(Nothing, showClock),

    'POST /clock': route(Advance, async ({ advance_ms: ms }) => {
      await clock.advance(ms);
      await settled();
      return showClock();
    }),
    'POST /schedules/run': route(Named, async ({ name }) => {
      await runSchedule(scheduler, name);
      await settled();
      return {};
    }),
    'POST /tasks/run': route(Named, async ({ name }) => {
      await runTask(tasks.services, name);
      await settled();
      return {};
    }),
    'POST /queues/pause': route(Named, async ({ name }) => {
      await pauseQueue(tasks.services, name);
      return {};
    }),
    'POST /queues/resume': route(Named, async ({ name }) => {
      await resumeQueue(tasks.services, name);
      await settled();
      return {};
    }),
    'POST /counters/reset': route(Nothing, () => {
      meter.reset();
      return showCounters(meter);
    }),
  };
}

function showCounters(meter: Meter) {
  const { rpcs, ...operations } = meter.read();
  const { usd, by } = meter.cost();
  return { operations: inSnakeCase(operations), cost: { usd, by: inSnakeCase(by) }, rpcs };
}

const inSnakeCase = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
