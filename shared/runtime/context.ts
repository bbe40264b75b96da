import { sha256Hex } from '../canonical-json.ts';
import type { Caller } from './caller.ts';
import type { IssuedCommand, Services } from './services.ts';

/** What every handler gets: the services, and this one invocation. */
export interface Context extends Services {
  readonly requestId: string;
  /** The clock, read once: everything one invocation does carries one time. */
  readonly at: Date;
  /**
   * The next command of this invocation. Where the invocation has a key (an `Idempotency-Key`, a task
   * name, a message id) the command has a deterministic id, so a retry of the whole is one command.
   *
   * @param given what the rule needs to know beside the command's identity and time
   */
  readonly command: <Given extends object>(given: Given) => IssuedCommand & Given;
  /** Random lower-case hex of `bytes` bytes. */
  readonly randomHex: (bytes: number) => string;
}

export interface RequestContext extends Context {
  readonly caller: Caller;
}

/** @param key what identifies the invocation across retries; null for one that comes once */
export function createContext(services: Services, requestId: string, key: string | null): Context {
  const at = services.now();
  let issued = 0;
  const base = key === null ? null : sha256Hex(key).slice(0, 40);
  const randomHex = (bytes: number) => Buffer.from(services.randomBytes(bytes)).toString('hex');
  return {
    ...services,
    requestId,
    at,
    randomHex,
    command: (given) => ({
      ...given,
      id: `cmd_${base === null ? randomHex(20) : `${base}_${issued++}`}`,
      at,
      keyed: base !== null,
    }),
  };
}
