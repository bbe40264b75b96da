import { Agent, request, type IncomingHttpHeaders } from 'node:http';

import type { Clock } from './clock.ts';
import type { DeliveryFault } from './delivery-faults.ts';
import type { Faults } from './faults.ts';

export interface Dispatch {
  readonly url: string;
  /** Defaults to POST. */
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** How long the target may take to answer in full, by the embedded cloud's clock. */
  readonly deadlineMs: number;
  /** Whether the interim status 102 is an answer already, as it is to Pub/Sub. */
  readonly processingIsAnswer?: boolean;
  /** An injected fault that strikes this attempt. */
  readonly fault?: DeliveryFault | undefined;
}

/** What became of a request; only `answered` came from the target. */
export type Delivery =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: IncomingHttpHeaders }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'timed-out' }
  /** An injected crash has killed the target, before or while it worked on this. */
  | { readonly kind: 'crashed' };

/** Sends what Cloud Tasks, Pub/Sub push and Cloud Scheduler deliver. */
export interface Dispatcher {
  /** Never rejects. Redirects are not followed. */
  send(dispatch: Dispatch): Promise<Delivery>;
  /** Ends the holding of requests that `isHeld` began. */
  release(): void;
  /** Breaks every connection; what was under way becomes `unreachable`. */
  close(): void;
}

const SHUT_DOWN: Delivery = { kind: 'unreachable', reason: 'the embedded cloud is shut down' };

const LOST: Delivery = { kind: 'unreachable', reason: 'injected: lost on the way' };
const ACKNOWLEDGEMENT_LOST: Delivery = {
  kind: 'unreachable',
  reason: 'injected: acknowledgement lost',
};

const WORK_MS_DEFAULT = 1000;

/** Plain HTTP over kept connections: the targets are local, so no egress rule applies. */
export function createDispatcher(parts: {
  readonly clock: Clock;
  readonly faults: Faults;
  /** Send nothing before `release()`: for targets that start later than the embedded cloud. */
  readonly isHeld?: boolean;
  /** Host names that stand for a port of this machine, so that stored URLs outlive a change of port. */
  readonly routes?: Readonly<Record<string, number>>;
  /**
   * Milliseconds of real time that a target gets at least, however far the clock is moved while it
   * works. Defaults to 1,000.
   */
  readonly workMs?: number;
}): Dispatcher {
  const { clock, faults, routes = {}, workMs = WORK_MS_DEFAULT } = parts;
  const agent = new Agent({ keepAlive: true });
  const underWay = new Set<(delivery: Delivery) => void>();
  const stopListening = faults.onCrash(() => {
    for (const settle of [...underWay]) settle({ kind: 'crashed' });
  });

  let isClosed = false;
  let release = () => {};
  const released = parts.isHeld
    ? new Promise<void>((resolve) => void (release = resolve))
    : Promise.resolve();

  const exchange = (dispatch: Dispatch) =>
    new Promise<Delivery>((resolve) => {
      if (isClosed) return resolve(SHUT_DOWN);
      if (faults.crashed) return resolve({ kind: 'crashed' });
      const settle = (delivery: Delivery) => {
        if (!underWay.delete(settle)) return;
        timer.cancel();
        clearTimeout(lastChance);
        if (delivery.kind !== 'answered') outgoing.destroy();
        resolve(delivery);
      };
      const url = new URL(dispatch.url);
      const port = routes[url.hostname];
      const outgoing = request(url, {
        agent,
        ...(port !== undefined && { host: '127.0.0.1', hostname: '127.0.0.1', port }),
        method: dispatch.method ?? 'POST',
        headers: {
          ...dispatch.headers,
          host: url.host,
          'content-length': dispatch.body?.length ?? 0,
        },
      });
      underWay.add(settle);
      const sentMs = performance.now();
      let lastChance: NodeJS.Timeout | undefined;
      const timer = clock.at(clock.nowMs() + dispatch.deadlineMs, () => {
        const leftMs = Math.max(0, workMs - (performance.now() - sentMs));
        lastChance = setTimeout(() => settle({ kind: 'timed-out' }), leftMs);
      });
      const fail = (error: Error) => settle({ kind: 'unreachable', reason: error.message });
      outgoing.on('error', fail);
      outgoing.on('information', ({ statusCode: status, headers }) => {
        if (status === 102 && dispatch.processingIsAnswer)
          settle({ kind: 'answered', status, headers });
      });
      outgoing.on('response', (answer) => {
        answer.on('error', fail);
        answer.on('end', () =>
          settle({ kind: 'answered', status: answer.statusCode ?? 0, headers: answer.headers }),
        );
        answer.resume();
      });
      outgoing.end(dispatch.body);
    }).catch((error: unknown): Delivery => ({ kind: 'unreachable', reason: String(error) }));

  const disturbed = async (dispatch: Dispatch): Promise<Delivery> => {
    switch (dispatch.fault?.kind) {
      case 'duplicate': {
        const first = exchange(dispatch);
        if (!dispatch.fault.together) await first;
        await exchange(dispatch);
        return first;
      }
      case 'lose-acknowledgement': {
        const delivery = await exchange(dispatch);
        return delivery.kind === 'answered' ? ACKNOWLEDGEMENT_LOST : delivery;
      }
      case 'lose':
        return LOST;
      default:
        return exchange(dispatch);
    }
  };

  return {
    send: (dispatch) => released.then(() => disturbed(dispatch)),
    release: () => release(),
    close() {
      isClosed = true;
      stopListening();
      for (const settle of [...underWay]) settle(SHUT_DOWN);
      agent.destroy();
    },
  };
}
