import type { Clock } from '../kernel/clock.ts';

/** Microseconds since the Unix epoch: Firestore's own resolution, exact in a double until the year 2255. */
export type Micros = number;

export interface WireTimestamp {
  readonly seconds: string;
  readonly nanos: number;
}

export function toWireTimestamp(micros: Micros): WireTimestamp {
  const seconds = Math.floor(micros / 1e6);
  return { seconds: String(seconds), nanos: (micros - seconds * 1e6) * 1000 };
}

export const fromWireTimestamp = (timestamp: Partial<WireTimestamp>): Micros =>
  Number(timestamp.seconds ?? 0) * 1e6 + Math.floor((timestamp.nanos ?? 0) / 1000);

/** Hands out the times of one database: commits are unique, strictly increasing and after every read. */
export interface Timeline {
  /** The present: every commit so far is at or before it, every later one after it. */
  read(): Micros;
  commit(): Micros;
  /** Makes every time from now on later than this one, which another database may have given. */
  passBy(micros: Micros): void;
}

export function createTimeline(clock: Clock, startMicros: Micros): Timeline {
  let last = startMicros;
  return {
    read: () => (last = Math.max(last, clock.nowMs() * 1000)),
    commit: () => (last = Math.max(last + 1, clock.nowMs() * 1000)),
    passBy: (micros) => void (last = Math.max(last, micros)),
  };
}
