import { ackIdOf } from './ack-id.ts';
import { messageToWire, volumeOf } from './message.ts';
import type { Outstanding } from './outstanding.ts';
import type { Stream } from './subscription.ts';
import type { SubscriptionSettings } from './subscription-settings.ts';
import type { StreamingPullResponse, WireReceived } from './wire.ts';

/** A delivery as it is told to a puller. */
export const received = (item: Outstanding, settings: SubscriptionSettings): WireReceived => ({
  ackId: ackIdOf(item),
  message: messageToWire(item.message),
  // Only subscriptions with a dead-letter policy count attempts.
  ...(settings.deadLetter && { deliveryAttempt: item.attempts }),
});

interface StreamParts {
  /** 0 is unlimited. */
  readonly maxMessages: number;
  /** 0 is unlimited. */
  readonly maxBytes: number;
  readonly settings: () => SubscriptionSettings;
  /** Returns false when the connection takes no more for now. */
  readonly write: (response: StreamingPullResponse) => boolean;
  readonly onSent: (items: readonly Outstanding[]) => void;
  readonly end: Stream['end'];
}

/** A response carries no more than about this much, so that no message waits behind a huge one. */
const RESPONSE_BYTES = 1_000_000;
const RESPONSE_MESSAGES = 1000;

/** The sending half of one StreamingPull, within the limits its client has set. */
export class PullStream implements Stream {
  readonly #parts: StreamParts;
  #outstanding = 0;
  #outstandingBytes = 0;
  #taken: Outstanding[] = [];
  #takenBytes = 0;
  #isBlocked = false;
  ackDeadlineMs: number;

  constructor(parts: StreamParts, ackDeadlineMs: number) {
    this.#parts = parts;
    this.ackDeadlineMs = ackDeadlineMs;
  }

  get hasRoom(): boolean {
    const { maxMessages, maxBytes } = this.#parts;
    if (this.#isBlocked) return false;
    if (maxMessages > 0 && this.#outstanding >= maxMessages) return false;
    return maxBytes <= 0 || this.#outstandingBytes < maxBytes;
  }

  take(item: Outstanding): void {
    const bytes = volumeOf(item.message);
    this.#outstanding++;
    this.#outstandingBytes += bytes;
    this.#taken.push(item);
    this.#takenBytes += bytes;
    if (this.#takenBytes >= RESPONSE_BYTES || this.#taken.length >= RESPONSE_MESSAGES) this.flush();
  }

  leave(item: Outstanding): void {
    this.#outstanding--;
    this.#outstandingBytes -= volumeOf(item.message);
  }

  flush(): void {
    if (this.#taken.length === 0) return;
    const items = this.#taken;
    const settings = this.#parts.settings();
    this.#taken = [];
    this.#takenBytes = 0;
    this.#parts.onSent(items);
    this.#isBlocked = !this.#parts.write({
      receivedMessages: items.map((item) => received(item, settings)),
      subscriptionProperties: {
        exactlyOnceDeliveryEnabled: false,
        messageOrderingEnabled: settings.isOrdered,
      },
    });
  }

  /** The connection takes more again. */
  unblock(): void {
    this.#isBlocked = false;
  }

  end(reason: Parameters<Stream['end']>[0]): void {
    this.#parts.end(reason);
  }
}
