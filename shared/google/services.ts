import { randomBytes } from 'node:crypto';

import { createOutbound } from '../http/outbound.ts';
import type { Config } from '../runtime/config.ts';
import { createLog } from '../runtime/log.ts';
import type { Services } from '../runtime/services.ts';
import { createClients } from './clients.ts';
import { createEffects } from './effects.ts';
import { createOutbox } from './outbox.ts';
import { createStore } from './store.ts';
import { createVault } from './vault.ts';

/** The services of one instance, on Google's clients. Nothing connects before it is used. */
export function createServices(
  config: Config,
  parts: Partial<Pick<Services, 'now' | 'randomBytes' | 'log'>> = {},
): Services & { close: () => Promise<void> } {
  const now = parts.now ?? (() => new Date());
  const random = parts.randomBytes ?? ((size: number) => randomBytes(size));
  const log = parts.log ?? createLog(config);
  const clients = createClients(config);
  const effects = createEffects(clients, config);
  const store = createStore(clients, effects, log);
  const outbox = createOutbox(store, effects, log, now);
  const vault = createVault(clients, store, config, { now, randomBytes: random });
  const outbound = createOutbound(config);
  return {
    config,
    now,
    randomBytes: random,
    store,
    outbox,
    effects,
    vault,
    outbound,
    log,
    close: async () => {
      await Promise.all([outbound.close(), clients.close()]);
    },
  };
}
