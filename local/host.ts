import type { Server } from 'node:http';
import { getTestServer } from '@google-cloud/functions-framework/testing';

import { type Instance, createServices } from '../shared/google/services.ts';
import type { Config } from '../shared/runtime/config.ts';
import type { Manifest } from '../shared/runtime/manifest.ts';
import { shimNextServer } from '../shared/runtime/request-shim.ts';
import { provide } from '../shared/runtime/services.ts';

export interface Host {
  /** One framework server per function, not listening: the front door hands requests over. */
  readonly functions: ReadonlyMap<string, Server>;
  readonly services: Instance;
}

/**
 * Loads every function of the manifest into this process, as production loads one into its own: the
 * same services, the same framework, the same shim.
 */
export async function hostFunctions(
  { http, tasks, pubsub, schedules }: Manifest,
  config: Config,
  parts: Parameters<typeof createServices>[1] = {},
): Promise<Host> {
  const services = createServices(config, parts);
  provide(() => services);
  const entries = Object.entries({ ...http, ...tasks, ...pubsub, ...schedules });
  await Promise.all(
    entries.map(
      ([, { source }]) => import(new URL(`../functions/${source}.ts`, import.meta.url).href),
    ),
  );
  const functions = new Map<string, Server>();
  for (const [name] of entries) {
    shimNextServer();
    functions.set(name, getTestServer(name));
  }
  return { functions, services };
}
