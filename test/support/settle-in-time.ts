import { setTimeout as pause } from 'node:timers/promises';

import type { TestPurvey } from './purvey.ts';

/** Milliseconds of real time without an RPC after which only the clock can move things on. */
const QUIET_MS = 15;
const STEP_MS = 250;
/** What is held up for longer waits for a lock that somebody dead has left, a minute at most. */
const LOCK_MS = { from: 10_000, to: 80_000, step: 4_000 };

const rpcsOf = (purvey: TestPurvey): number =>
  Object.values(purvey.cloud.meter.read().rpcs).reduce((sum, count) => sum + count, 0);

/** Resolves once there was no RPC for `quietMs` of real time. */
async function untilQuiet(purvey: TestPurvey, quietMs: number): Promise<void> {
  for (let seen = rpcsOf(purvey), quiet = 0; quiet < quietMs; quiet++) {
    await pause(1);
    if (rpcsOf(purvey) !== seen) [seen, quiet] = [rpcsOf(purvey), 0];
  }
}

/**
 * Lets everything that is due happen, as `settle` does, where calls under way wait on the clock: for a
 * pause between two attempts, or for their time to end. The clock moves only while nothing else does.
 */
export async function settleInTime(purvey: TestPurvey): Promise<void> {
  let isSettled = false;
  const settled = purvey.settle().then(() => void (isSettled = true));
  const beginMs = purvey.clock.nowMs();
  for (;;) {
    await Promise.race([settled, untilQuiet(purvey, QUIET_MS)]);
    if (isSettled) return;
    const waitedMs = purvey.clock.nowMs() - beginMs;
    const isLocked = waitedMs >= LOCK_MS.from && waitedMs < LOCK_MS.to;
    await purvey.clock.advance(isLocked ? LOCK_MS.step : STEP_MS);
  }
}

/** Longer than what a dead process still tries pauses for, mostly. */
const LAST_BREATH_MS = 150;

/** After a restart: lets go what the dead process tried in vain, and the locks that it took meanwhile. */
export async function buryTheDead(purvey: TestPurvey): Promise<void> {
  await untilQuiet(purvey, LAST_BREATH_MS);
  purvey.cloud.firestore.endTransactions();
}

/** Shorter than the time that any call under test has: one that begins meanwhile is not cut off. */
const REST_MS_MAX = 4_000;

/** Moves the clock by at least `seconds`, so that every task is dispatched at its time. */
export async function passTime(purvey: TestPurvey, seconds: number): Promise<void> {
  const untilMs = purvey.clock.nowMs() + seconds * 1_000;
  await settleInTime(purvey);
  for (let nowMs = purvey.clock.nowMs(); nowMs < untilMs; nowMs = purvey.clock.nowMs()) {
    const dueMs = Math.min(...purvey.cloud.tasks.tasks().map(({ scheduleMs }) => scheduleMs));
    await purvey.clock.advance(Math.max(1, Math.min(REST_MS_MAX, dueMs - nowMs)));
    await settleInTime(purvey);
  }
}
