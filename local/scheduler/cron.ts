import { Cron } from 'croner';

import { RpcError } from '../kernel/grpc.ts';

/** Five fields of unix cron; croner's own extensions (`L`, `W`, `#`, `?`, seconds) stay outside. */
const UNIX_CRON = /^\s*(?:[\d*,/-]+\s+){2}[\d*,/-]+\s+[\da-zA-Z*,/-]+\s+[\da-zA-Z*,/-]+\s*$/;
const EXTENSION = /(?:^|[\s,])\d*[LW](?:$|[\s,])/i;

/** Reads a schedule; it is of no use to croner's own timers, which are never started. */
function open(schedule: string, timeZone: string): Cron {
  if (!UNIX_CRON.test(schedule) || EXTENSION.test(schedule))
    throw new RpcError('INVALID_ARGUMENT', `Schedule or time zone is invalid (${schedule}).`);
  try {
    const cron = new Cron(schedule, { timezone: timeZone, mode: '5-part', paused: true });
    // An unknown time zone shows only here.
    cron.nextRun(new Date(0));
    return cron;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new RpcError('INVALID_ARGUMENT', `Schedule or time zone is invalid: ${reason}`);
  }
}

export function checkSchedule(schedule: string, timeZone: string): void {
  open(schedule, timeZone);
}

/** The first time after `afterMs` that the schedule names; undefined when it names none. */
export const nextRunMs = (
  schedule: string,
  timeZone: string,
  afterMs: number,
): number | undefined => open(schedule, timeZone).nextRun(new Date(afterMs))?.getTime();
