import {
  type Attempt,
  type Breaker,
  type DeadLetter,
  type Health,
  type Task,
} from './execution-api.ts';
import type { Refusals } from './refusals.ts';

/** What happened, in facts that can be checked. Times are the embedded cloud's. */
export interface ExecutionSummary {
  readonly retried: Retried;
  readonly opened: Opened;
  readonly refused: RefusedCalls;
  readonly recovered: Recovered;
  readonly exhausted: Exhausted;
  readonly buried: Buried;
  readonly forced: Forced;
  readonly recorded: Recorded;
  /** How far the embedded cloud's clock is ahead of this machine's at the end. */
  readonly aheadMs: number;
}

/** A call that fails twice. */
export interface Retried {
  readonly task: Task;
  /** In their order. */
  readonly attempts: readonly Attempt[];
  /** Before each attempt but the first. */
  readonly waitsMs: readonly number[];
}

/** Calls that fail, and how the breaker stood after each. */
export interface Opened {
  readonly tasks: readonly Task[];
  readonly breakers: readonly Breaker[];
}

/** Calls while the breaker is open. */
export interface RefusedCalls {
  readonly tasks: readonly Task[];
  readonly attempts: readonly Attempt[];
  /** Undefined where the instance runs in another process. */
  readonly inProcess: Refusals | undefined;
}

/** The refused calls, after the cooldown. */
export interface Recovered {
  readonly halfOpen: Breaker;
  readonly whileProbing: readonly Task[];
  readonly closed: Breaker;
  readonly afterProbe: readonly Task[];
  readonly tasks: readonly Task[];
}

/** More calls than a minute's quota has. */
export interface Exhausted {
  readonly limit: number;
  readonly answered: readonly Task[];
  readonly refused: readonly Task[];
  readonly quota: Health['quota'];
  /** The refused ones, in the next window. */
  readonly resumed: readonly Task[];
}

/** A call that fails for good. */
export interface Buried {
  readonly task: Task;
  readonly letter: DeadLetter;
  readonly replayedAt: string;
  readonly repeatedAt: string;
  readonly taskAfter: Task;
  readonly letterAfter: DeadLetter;
  readonly nextLetter: DeadLetter;
}

/** What an operator does, and a call that it concerns. */
export interface Forced {
  readonly reason: string;
  readonly listed: readonly Breaker[];
  readonly refused: Task;
  readonly released: Breaker;
  readonly resumed: Task;
}

/** What the layer says of all this. */
export interface Recorded {
  readonly attempts: readonly Attempt[];
  readonly health: Health;
}

/** The attempts of every task of the story. */
export function attemptsMade(summary: Omit<ExecutionSummary, 'recorded' | 'aheadMs'>): number {
  const { retried, opened, recovered, exhausted, buried, forced } = summary;
  const tasks = [
    retried.task,
    ...opened.tasks,
    ...recovered.tasks,
    ...exhausted.answered,
    ...exhausted.resumed,
    // A replay begins to count anew.
    buried.letter,
    buried.taskAfter,
    forced.resumed,
  ];
  return tasks.reduce((sum, { attempts }) => sum + attempts, 0);
}

/** What should be so, and whether it is. */
type Claims = Readonly<Record<string, boolean>>;

const isRefused = ({ state, attempts, last_failure }: Task, reason: string): boolean =>
  state === 'WAITING' && attempts === 0 && last_failure?.reason_code === reason;

const succeededAtOnce = ({ state, attempts }: Task): boolean =>
  state === 'SUCCEEDED' && attempts === 1;

const timeOf = (iso: string | null | undefined): number => Date.parse(iso ?? '');

export const retryClaims = ({ task, attempts, waitsMs }: Retried): Claims => ({
  'a call that fails twice succeeds at its third attempt':
    task.state === 'SUCCEEDED' && task.attempts === 3,
  'each attempt is listed with what came of it':
    attempts.map(({ outcome }) => outcome).join() === 'retry,retry,success',
  // Either may be a tenth shorter, so that callers do not come in step.
  'it waits a quarter of a second, and then twice that':
    waitsMs.length === 2 && (waitsMs[0] ?? 0) >= 225 && (waitsMs[1] ?? 0) >= 450,
});

export const openingClaims = ({ tasks, breakers }: Opened): Claims => ({
  'answers that nobody can read are not asked for again': tasks.every(
    ({ state, attempts }) => state === 'FAILED' && attempts === 1,
  ),
  'the breaker opens at the fifth failure, and not before':
    breakers.map(({ breaker_state }) => breaker_state).join() ===
    'closed,closed,closed,closed,open',
  'its cooldown is a minute': isWithin(
    timeOf(breakers.at(-1)?.open_until) - timeOf(tasks.at(-1)?.last_failure?.at),
    50_000,
    60_000,
  ),
});

const isWithin = (value: number, from: number, to: number): boolean => value >= from && value <= to;

export const refusalClaims = (
  { tasks, attempts, inProcess }: RefusedCalls,
  { breakers }: Opened,
): Claims => ({
  'while it is open every call is refused, and burns no attempt': tasks.every((task) =>
    isRefused(task, 'circuit_open'),
  ),
  // An instance knows the store's time to about the time that a request takes.
  'each waits until the cooldown ends': tasks.every(({ next_attempt_at }) =>
    isWithin(timeOf(next_attempt_at) - timeOf(breakers.at(-1)?.open_until), -2_000, 2_000),
  ),
  'nothing is sent': attempts.length === 0,
  ...(inProcess && {
    'a refusal reads nothing and writes nothing':
      inProcess.refused === inProcess.calls && inProcess.reads + inProcess.writes === 0,
  }),
});

export const recoveryClaims = ({
  halfOpen,
  whileProbing,
  closed,
  afterProbe,
  tasks,
}: Recovered): Claims => ({
  'after the cooldown the breaker is half open': halfOpen.breaker_state === 'half_open',
  'it lets one probe through, and refuses the others':
    whileProbing.filter(({ state }) => state === 'RUNNING').length === 1 &&
    whileProbing.filter((task) => isRefused(task, 'circuit_open')).length ===
      whileProbing.length - 1,
  'the probe succeeds, and closes it':
    closed.breaker_state === 'closed' && afterProbe.filter(succeededAtOnce).length === 1,
  'then all that were refused succeed': tasks.every(succeededAtOnce),
});

export const quotaClaims = ({ limit, answered, refused, quota, resumed }: Exhausted): Claims => ({
  'exactly as many calls are answered as the quota allows': answered.length === limit,
  'the others are refused, and burn no attempt':
    refused.length > 0 && refused.every((task) => isRefused(task, 'quota_exhausted')),
  'the health summary says that nothing is left of this minute':
    quota?.window === 'minute' && quota.used_count === limit && quota.remaining_count === 0,
  // Some milliseconds later, so that not all come back at once.
  'they wait until the minute ends': refused.every(({ next_attempt_at }) =>
    isWithin(timeOf(next_attempt_at) - timeOf(quota?.window_end), 0, 5_000),
  ),
  'then they succeed': resumed.length === refused.length && resumed.every(succeededAtOnce),
});

export const deadLetterClaims = (buried: Buried): Claims => {
  const { task, letter, replayedAt, repeatedAt, taskAfter, letterAfter, nextLetter } = buried;
  return {
    'a call that keeps failing is given up after three attempts':
      task.state === 'FAILED' && task.attempts === 3 && letter.attempts === 3,
    'its dead letter says what failed, and why':
      letter.status === 'OPEN' &&
      letter.correlation_id === task.correlation_id &&
      letter.reason_code === 'connection_error' &&
      letter.error_type === 'ProviderConnectionError' &&
      letter.occurred_at === task.last_failure?.at,
    'replayed, it has its attempts again': taskAfter.state === 'FAILED' && taskAfter.attempts === 3,
    'a replay that fails leaves another dead letter':
      letterAfter.status === 'REPLAYED' &&
      nextLetter.status === 'OPEN' &&
      nextLetter.dead_letter_id !== letter.dead_letter_id,
    'a letter is replayed once, however often that is asked': repeatedAt === replayedAt,
  };
};

export const operatorClaims = ({ reason, listed, refused, released, resumed }: Forced): Claims => ({
  'a breaker that an operator has opened is listed with who did it, and why':
    listed.length === 1 &&
    listed[0]?.breaker_state === 'open' &&
    listed[0].open_until === null &&
    listed[0].forced?.by === 'operator' &&
    listed[0].forced.reason === reason,
  'it refuses calls of a provider that works': isRefused(refused, 'circuit_open'),
  'a release closes it': released.breaker_state === 'closed' && released.forced === null,
  'what it refused then succeeds': succeededAtOnce(resumed),
});

/** @param made by `attemptsMade` */
export function recordClaims({ attempts, health }: Recorded, made: number): Claims {
  const ids = new Set(attempts.map(({ id }) => id));
  const succeeded = attempts.filter(({ outcome }) => outcome === 'success').length;
  return {
    [`each of the ${made} attempts is listed once`]: attempts.length === made && ids.size === made,
    'the health summary has their rate of success':
      health.success_rate_1h === succeeded / attempts.length,
    'it has their latency': health.p95_latency_ms_1h !== null,
    'it says that the breaker is closed, and what failed last':
      health.breaker_state === 'closed' &&
      health.last_error_code === 'connection_error' &&
      timeOf(health.last_success_at) > timeOf(health.last_error_at),
  };
}
