import { z } from 'zod';

import { readConfigFile } from './config.ts';

const resources = {
  /** What the function may touch; its service account is granted exactly these. */
  needs: z.array(z.enum(['firestore', 'pubsub', 'tasks', 'kms', 'outbound'])).default([]),
  cpu: z.number().default(1),
  memory: z.string().default('256Mi'),
  concurrency: z.int().default(80),
  max_instances: z.int().default(20),
  timeout_s: z.int().default(60),
};

const Caller = z.union([
  z.enum(['public', 'provider', 'service', 'operator']),
  z.templateLiteral(['org:', z.string()]),
]);

const Http = z.strictObject({
  source: z.string(),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z.string().startsWith('/'),
  /** Who may call besides the operator; `org:<scope>` is an organisation's key with that scope. */
  callers: z.array(Caller),
  /** The open-endpoint limit it counts against. */
  limit: z.enum(['public_read', 'registration']).optional(),
  ...resources,
});
const Task = z.strictObject({ source: z.string(), queue: z.string(), ...resources });
const Subscriber = z.strictObject({
  source: z.string(),
  topic: z.string(),
  /** Pub/Sub filter on attributes. */
  filter: z.string().optional(),
  ...resources,
});
const Schedule = z.strictObject({
  source: z.string(),
  cron: z.string(),
  time_zone: z.string().default('Etc/UTC'),
  ...resources,
});
const Queue = z.strictObject({
  max_dispatches_per_second: z.number(),
  max_concurrent: z.int(),
  max_attempts: z.int(),
  min_backoff_s: z.number(),
  max_backoff_s: z.number(),
});

const Manifest = z.strictObject({
  http: z.record(z.string(), Http),
  tasks: z.record(z.string(), Task),
  pubsub: z.record(z.string(), Subscriber),
  schedules: z.record(z.string(), Schedule),
  queues: z.record(z.string(), Queue),
  topics: z.array(z.string()),
});

export type HttpFunction = z.infer<typeof Http>;
export type Manifest = z.infer<typeof Manifest>;

let loaded: Manifest | undefined;

/** `configs/functions.yaml`, read once per instance. */
export function manifest(): Manifest {
  loaded ??= Manifest.parse(readConfigFile('functions'));
  return loaded;
}

/** @throws {Error} when the manifest has no such function: deploying and serving both start there. */
export function entryOf<Kind extends 'http' | 'tasks' | 'pubsub' | 'schedules'>(
  kind: Kind,
  name: string,
): Manifest[Kind][string] {
  const entry = manifest()[kind][name];
  if (!entry) throw new Error(`configs/functions.yaml has no ${kind} function named "${name}"`);
  return entry as Manifest[Kind][string];
}
