import { fromMs } from '../kernel/proto-time.ts';
import type { Message } from './message.ts';
import type { WireSnapshot } from './wire.ts';

/** What a subscription had not acknowledged at one moment, and all that its topic got from then on. */
export interface Snapshot {
  readonly name: string;
  readonly topic: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly expireMs: number;
  /** Ids of the messages that were unacknowledged. */
  readonly backlog: ReadonlySet<string>;
  /** The first message id that was still to be given. */
  readonly fromId: string;
}

/** A snapshot is kept seven days, less the age of its oldest message. */
export const LIFETIME_MS = 7 * 24 * 3_600_000;

export const holds = (snapshot: Snapshot, message: Message): boolean =>
  snapshot.topic === message.topic &&
  (message.id >= snapshot.fromId || snapshot.backlog.has(message.id));

export const snapshotToWire = (snapshot: Snapshot): WireSnapshot => ({
  name: snapshot.name,
  topic: snapshot.topic,
  labels: { ...snapshot.labels },
  expireTime: fromMs(snapshot.expireMs),
});
