import type { DueEntry } from '../kernel/due-queue.ts';
import type { Message } from './message.ts';

/** How far the delivery of one message has come, as kept on disk. */
export interface Progress {
  readonly attempts: number;
  readonly dueMs: number;
  /** Where ack ids count from: a seek moves it, so that those of before mean nothing any more. */
  readonly base?: number;
}

/** Whoever keeps taking messages: a StreamingPull. */
export interface Consumer {
  /** Whether it takes one more message now. */
  readonly hasRoom: boolean;
  /** Lease of what it takes. */
  readonly ackDeadlineMs: number;
  take(item: Outstanding): void;
  /** Acknowledged, refused or run out: no longer counted against its limits. */
  leave(item: Outstanding): void;
}

/** A message that the subscriber has not acknowledged yet. */
export interface Outstanding {
  readonly message: Message;
  base: number;
  attempts: number;
  /** When it is delivered next, or when the present lease ends. */
  dueMs: number;
  entry?: DueEntry<Outstanding> | undefined;
  lease?: DueEntry<Outstanding> | undefined;
  holder?: Consumer | undefined;
  isOnDisk: boolean;
  /** Acknowledged, but not done with: an earlier message of its ordering key is not acknowledged yet. */
  isAcked?: boolean;
}

export const hold = (message: Message, { attempts, dueMs, base = 0 }: Progress): Outstanding => ({
  message,
  attempts,
  dueMs,
  base,
  isOnDisk: false,
});

/** Tells one delivery of a message from all others. */
export const deliveryOf = (item: Outstanding): number => item.base + item.attempts;
