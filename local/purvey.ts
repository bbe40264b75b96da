import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import type { ExecutionSettings } from '../shared/execution/policy.ts';
import { type Config, loadConfig } from '../shared/runtime/config.ts';
import { manifest } from '../shared/runtime/manifest.ts';
import type { Log } from '../shared/runtime/log.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { openFrontDoor } from './front-door.ts';
import { type Host, hostFunctions } from './host.ts';
import { DeliveryLog } from './inspector/deliveries.ts';
import { createInspector, type Inspected } from './inspector/inspector.ts';
import { type Clock, SystemClock } from './kernel/clock.ts';
import { provision } from './provision.ts';

export interface Purvey {
  /** Where the API answers, without a trailing slash. */
  readonly url: string;
  readonly operatorKey: string;
  readonly config: Config;
  readonly cloud: Cloud;
  readonly services: Host['services'];
  /** True when the file held an earlier start's data. */
  readonly resumed: boolean;
  /** Gives up the functions' process and starts another on the same cloud, as after a crash. */
  restartFunctions(): Promise<void>;
  close(): Promise<void>;
}

export interface PurveyOptions {
  /** HTTP port; 0 picks a free one. */
  readonly port: number;
  /** The SQLite file that holds all state; in memory when absent. */
  readonly file?: string;
  /** Forget what the file holds, once it is known that nobody else uses it. */
  readonly fresh?: boolean;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Instead of `configs/execution.yaml`. */
  readonly executionSettings?: () => ExecutionSettings;
  /** Takes a sentence that the person who starts this should read. */
  readonly tell?: (sentence: string) => void;
  /** Overrides of the environment, e.g. `ALLOW_INSECURE_ENDPOINTS`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const PROJECT = 'purvey-local';
/** What queues, subscriptions and jobs call, whichever port the front door has at this start. */
const FUNCTIONS_HOST = 'functions.purvey.local';
/** How long a stop waits for deliveries that are under way. */
const CLOSE_MS = 1_000;

/** A whole installation in this process: embedded cloud, every function, front door. */
export async function startPurvey(options: PurveyOptions): Promise<Purvey> {
  // Google's clients look for a metadata server on their first call; there is none here to find.
  process.env['METADATA_SERVER_DETECTION'] ??= 'none';
  // They would lead the clients away from the embedded cloud.
  delete process.env['FIRESTORE_EMULATOR_HOST'];
  delete process.env['PUBSUB_EMULATOR_HOST'];
  let cloud: Cloud | undefined;
  let inspected: Inspected | undefined;
  const clock = options.clock ?? new SystemClock();
  const deliveries = new DeliveryLog(clock);
  const door = await openFrontDoor(
    options.port,
    () => cloud?.identity.jwks(),
    createInspector(() => inspected),
  );
  try {
    cloud = await startCloud({
      project: PROJECT,
      // What an earlier start left due waits until its functions are there.
      holdDeliveries: true,
      routes: { [FUNCTIONS_HOST]: door.port },
      indexes: JSON.parse(
        readFileSync(new URL('../firestore.indexes.json', import.meta.url), 'utf8'),
      ),
      ...(options.file !== undefined && { file: options.file }),
      fresh: options.fresh ?? false,
      clock,
      watchDeliveries: (dispatcher) => deliveries.watch(dispatcher),
    });
    const started = cloud;
    const url = `http://127.0.0.1:${door.port}`;
    const { secrets, resumed } = installationSecrets(started, options.env ?? {});
    const config = loadConfig({
      PURVEY_FUNCTION_URL: `http://${FUNCTIONS_HOST}/_functions/{name}`,
      PURVEY_PUBLIC_URL: url,
      OIDC_JWKS_URL: `${url}/_functions/jwks`,
      PURVEY_CLOUD_ENDPOINT: `127.0.0.1:${started.port}`,
      ...options.env,
      PURVEY_ENV: 'local',
      GOOGLE_CLOUD_PROJECT: PROJECT,
      PURVEY_OPERATOR_KEY: secrets.operator_key,
      PURVEY_HMAC_KEY: secrets.hmac_key,
    });
    const { replaced, left } = await provision(manifest(), config);
    if (replaced.length + left.length > 0)
      options.tell?.(
        `The manifest has changed since the last start: replaced ${replaced.join(', ') || 'nothing'}; no longer in it, but left: ${left.join(', ') || 'nothing'}.`,
      );
    const parts = {
      clock: started.clock,
      ...(options.log && { log: options.log }),
      ...(options.executionSettings && { executionSettings: options.executionSettings }),
    };
    let host = await hostFunctions(manifest(), config, parts);
    door.serve(host.functions, manifest());
    inspected = {
      cloud: started,
      deliveries,
      operatorKey: secrets.operator_key,
      location: `projects/${PROJECT}/locations/${config.region}`,
    };
    started.releaseDeliveries();
    return {
      url,
      operatorKey: secrets.operator_key,
      config,
      cloud: started,
      resumed,
      get services() {
        return host.services;
      },
      async restartFunctions() {
        // Not awaited: calls that a crash left unanswered stay so, and their clients never come to rest.
        void host.services.kill();
        host = await hostFunctions(manifest(), config, parts);
        started.faults.revive();
        door.serve(host.functions, manifest());
      },
      async close() {
        // What is under way may finish; what hangs is cut off, and its task comes again at the next start.
        await Promise.race([started.idle(), delay(CLOSE_MS, undefined, { ref: false })]);
        await door.close();
        await host.services.close();
        await started.close();
      },
    };
  } catch (error) {
    await door.close();
    await cloud?.close();
    throw error;
  }
}

/** The keys that belong to one installation, kept in its file. `PURVEY_OPERATOR_KEY` wins over the kept one. */
function installationSecrets(cloud: Cloud, env: Readonly<Record<string, string | undefined>>) {
  const table = cloud.journal.table<string>('installation');
  const kept = new Map(table.load());
  const secretOf = (name: string, make: () => string) => {
    const value = kept.get(name) ?? make();
    if (!kept.has(name)) table.put(name, value);
    return value;
  };
  const secrets = {
    operator_key:
      env['PURVEY_OPERATOR_KEY'] ??
      secretOf('operator_key', () => `pv_op_${randomBytes(32).toString('hex')}`),
    hmac_key: secretOf('hmac_key', () => randomBytes(32).toString('hex')),
  };
  return { secrets, resumed: kept.size > 0 };
}
