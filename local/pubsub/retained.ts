import type { Message } from './message.ts';

/**
 * Messages kept beyond their acknowledgement, so that subscriptions can seek back to them: for a topic
 * that retains, a subscription that retains what it acknowledged, or a snapshot.
 */
export class Retained {
  readonly #byTopic = new Map<string, Map<string, Message>>();
  readonly #parts;

  constructor(parts: {
    /** Whether anybody could still seek to the message. */
    readonly isWanted: (message: Message) => boolean;
    readonly onTaken: (message: Message) => void;
    readonly onGone: (message: Message) => void;
  }) {
    this.#parts = parts;
  }

  /** Takes the message in if anybody could seek to it. */
  offer(message: Message): void {
    const log = this.#byTopic.get(message.topic) ?? new Map<string, Message>();
    if (log.has(message.id) || !this.#parts.isWanted(message)) return;
    this.#byTopic.set(message.topic, log.set(message.id, message));
    this.#parts.onTaken(message);
  }

  of(topic: string): Message[] {
    return [...(this.#byTopic.get(topic)?.values() ?? [])];
  }

  /** Drops the oldest, as far as nobody wants them any more. */
  trim(topic: string): void {
    this.#drop(topic, (message) => this.#parts.isWanted(message));
  }

  /** Drops all that nobody wants any more: after a topic, subscription or snapshot has changed. */
  sweep(): void {
    for (const topic of this.#byTopic.keys()) this.#drop(topic, () => false);
  }

  #drop(topic: string, isEnd: (message: Message) => boolean): void {
    const log = this.#byTopic.get(topic);
    for (const message of log?.values() ?? []) {
      if (isEnd(message)) break;
      if (this.#parts.isWanted(message)) continue;
      log?.delete(message.id);
      this.#parts.onGone(message);
    }
  }
}
