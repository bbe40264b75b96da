import type { Clock } from '../kernel/clock.ts';
import type { Delivery, Dispatch, Dispatcher } from '../kernel/dispatch.ts';
import { maskText } from './masking.ts';

/** Who sent a request, and on behalf of what. */
interface Origin {
  readonly kind: 'task' | 'push' | 'schedule' | 'other';
  /** The queue, subscription or job. */
  readonly source: string;
  /** The task or message. */
  readonly item?: string;
  readonly attempt?: number;
}

export interface DeliveryRecord extends Origin {
  /** Counts up from 1. */
  readonly id: number;
  readonly sent_at: string;
  readonly target: string;
  outcome: 'under-way' | Delivery['kind'];
  status?: number;
  reason?: string;
  /** Real time, whatever the clock does. */
  took_ms?: number;
}

const DELIVERIES_MAX = 200;

const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);

/** A push names its subscription in the body only. */
function pushOf({ body }: Dispatch): Origin {
  try {
    const { subscription, message, deliveryAttempt } = JSON.parse(
      Buffer.from(body ?? '').toString(),
    );
    return {
      kind: 'push',
      source: lastPart(String(subscription)),
      item: String(message.messageId),
      ...(typeof deliveryAttempt === 'number' && { attempt: deliveryAttempt }),
    };
  } catch {
    return { kind: 'other', source: '' };
  }
}

function originOf(dispatch: Dispatch): Origin {
  const { headers } = dispatch;
  const queue = headers['X-CloudTasks-QueueName'];
  if (queue !== undefined)
    return {
      kind: 'task',
      source: queue,
      item: headers['X-CloudTasks-TaskName'] ?? '',
      attempt: Number(headers['X-CloudTasks-TaskRetryCount'] ?? 0) + 1,
    };
  const job = headers['X-CloudScheduler-JobName'];
  return job === undefined ? pushOf(dispatch) : { kind: 'schedule', source: job };
}

/** The latest deliveries of tasks, pushes and jobs, in memory. Keeps neither headers nor bodies. */
export class DeliveryLog {
  readonly #clock: Clock;
  readonly #records: DeliveryRecord[] = [];
  #sent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many have been sent since the start, those forgotten included. */
  get sent(): number {
    return this.#sent;
  }

  /** Newest first. */
  recent(): readonly DeliveryRecord[] {
    return this.#records.toReversed();
  }

  /** The same dispatcher, noting what it sends and what became of it. */
  watch(dispatcher: Dispatcher): Dispatcher {
    return {
      ...dispatcher,
      send: async (dispatch) => {
        const record = this.#begin(dispatch);
        const startedMs = performance.now();
        const delivery = await dispatcher.send(dispatch);
        record.took_ms = Math.round(performance.now() - startedMs);
        record.outcome = delivery.kind;
        if (delivery.kind === 'answered') record.status = delivery.status;
        if (delivery.kind === 'unreachable') record.reason = delivery.reason;
        return delivery;
      },
    };
  }

  #begin(dispatch: Dispatch): DeliveryRecord {
    const record: DeliveryRecord = {
      ...originOf(dispatch),
      id: ++this.#sent,
      sent_at: new Date(this.#clock.nowMs()).toISOString(),
      target: maskText(dispatch.url),
      outcome: 'under-way',
    };
    this.#records.push(record);
    if (this.#records.length > DELIVERIES_MAX) this.#records.shift();
    return record;
  }
}
