import { randomBytes } from 'node:crypto';

import { createOutbound } from '../http/outbound.ts';
import type { ExecutionEvent } from '../execution/key-health.ts';
import type { ExecutionSettings } from '../execution/policy.ts';
import type { ExecutionClock } from '../execution/ports.ts';
import type { Config } from '../runtime/config.ts';
import { lazyExecution } from '../runtime/lazy-execution.ts';
import { type Log, createLog } from '../runtime/log.ts';
import type { Services } from '../runtime/services.ts';
import { executionSettings } from '../runtime/settings.ts';
import { createClients } from './clients.ts';
import { createEffects } from './effects.ts';
import { createOutbox } from './outbox.ts';
import { createStore } from './store.ts';
import { createVault } from './vault.ts';

export interface Instance extends Services {
  /** Writes what is counted, then ends its connections. */
  close(): Promise<void>;
  /** Ends its connections and nothing else, as a crash does. */
  kill(): Promise<void>;
}

/** The services of one instance, on Google's clients. Nothing connects before it is used. */
export function createServices(
  config: Config,
  parts: Partial<Pick<Services, 'randomBytes' | 'log'>> & {
    readonly clock?: ExecutionClock;
    readonly random?: () => number;
    readonly executionSettings?: () => ExecutionSettings;
  } = {},
): Instance {
  const clock = parts.clock ?? systemClock;
  const now = () => new Date(clock.nowMs());
  const random = parts.randomBytes ?? ((size: number) => randomBytes(size));
  const log = parts.log ?? createLog(config);
  const clients = createClients(config);
  const effects = createEffects(clients, config);
  const store = createStore(clients, effects, log);
  const outbox = createOutbox(store, effects, log, now);
  const vault = createVault(clients, store, config, { now, randomBytes: random });
  const outbound = createOutbound(config);
  const execution = lazyExecution({
    store,
    clock,
    random: parts.random ?? Math.random,
    settings: parts.executionSettings ?? executionSettings,
    instanceId: Buffer.from(random(6)).toString('hex'),
    onEvent: (event) => logEvent(log, event),
  });
  const disconnect = async () => {
    await Promise.all([outbound.close(), clients.close()]);
  };
  return {
    config,
    now,
    clock,
    randomBytes: random,
    store,
    outbox,
    effects,
    vault,
    outbound,
    execution,
    log,
    close: async () => {
      await execution.close();
      await disconnect();
    },
    kill: disconnect,
  };
}

/** Timers here are deadlines and pauses of requests under way: none keeps a process alive. */
const systemClock: ExecutionClock = {
  nowMs: Date.now,
  at(dueMs, fire) {
    const timeout = setTimeout(fire, Math.max(0, dueMs - Date.now()));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

function logEvent(log: Log, event: ExecutionEvent): void {
  const { key, ...about } = event;
  const fields = {
    tenant_id: key.tenantId,
    provider_name: key.providerName,
    capability: key.capability,
  };
  switch (about.kind) {
    case 'breaker_changed': {
      const { from, to, epoch } = about;
      return log.warn(
        { event: 'breaker.changed', ...fields, from, to, epoch },
        `breaker ${from} → ${to}`,
      );
    }
    case 'store_unavailable':
      return log.error(
        { event: 'execution.store_unavailable', ...fields, err: about.error },
        'the execution layer cannot reach the store and goes on by what it knows',
      );
    case 'attempts_dropped':
      return log.error(
        { event: 'execution.attempts_dropped', ...fields, count: about.count },
        'attempts could not be written for so long that the oldest were dropped',
      );
  }
}
