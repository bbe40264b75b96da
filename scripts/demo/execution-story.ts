import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from './api.ts';
import {
  type Attempt,
  type Breaker,
  type ExecutionApi,
  LETTER_FIELDS,
  type Task,
  connectExecution,
} from './execution-api.ts';
import {
  type Buried,
  type ExecutionSummary,
  type Exhausted,
  type Forced,
  type Opened,
  type Recorded,
  type Recovered,
  type RefusedCalls,
  type Retried,
  attemptsMade,
  deadLetterClaims,
  openingClaims,
  operatorClaims,
  quotaClaims,
  recordClaims,
  recoveryClaims,
  refusalClaims,
  retryClaims,
} from './execution-expectations.ts';
import { WentOtherwise, refuted } from './expectations.ts';
import { type Narrator, grouped, masked, narrate } from './narrate.ts';
import type { Refusals } from './refusals.ts';

export interface ExecutionDemoOptions {
  /** An instance on an embedded cloud, whose clock the story moves by about four minutes. */
  readonly url: string;
  readonly operatorKey: string;
  /** Makes calls in the instance's own process; by `refusalsIn`. */
  readonly refuseInProcess?: (tenantId: string, calls: number) => Promise<Refusals>;
  /** Takes the story's lines; standard output when absent. */
  readonly print?: (line: string) => void;
  /** Waits between two looks at what happens. */
  readonly pause?: (ms: number) => Promise<void>;
}

/** As configs/execution.yaml has it. */
const FAILURE_THRESHOLD = 5;
const REFUSED_TASKS = 5;
const REFUSED_IN_PROCESS = 1_000;
/** Calls beyond the quota. */
const SURPLUS = 3;
/** Many more would wait for one another on a slow machine, longer than a call may take. */
const AT_ONCE = 9;
/** A probe takes so long that it can be seen, and less than the 5 s that a call has. */
const PROBE_MS = 3_000;
/** An instance looks a breaker up every 15 s, beside a call; after 45 s without one, before it. */
const BREAKER_KNOWN_MS = 46_000;
/** Beyond a time that must have been reached. */
const MARGIN_MS = 50;
const MINUTE_MS = 60_000;
const LOOK_EVERY_MS = 50;
const WAIT_MS_MAX = 20_000;

/** Everything an act needs. */
interface Scene {
  readonly api: ExecutionApi;
  readonly narrator: Narrator;
  readonly pause: (ms: number) => Promise<void>;
  readonly tenant: string;
  /** With which the tenant reads its providers' health. */
  readonly orgKey: string;
}

/**
 * Plays over HTTP what the execution layer does for calls to providers, with the synthetic provider:
 * retry, breaker, quota, dead letter, operator, metrics.
 *
 * @throws {WentOtherwise} naming every fact that is not as it should be
 * @throws {Refused | Unusable} when a call fails that should not
 */
export async function playExecutionDemo(options: ExecutionDemoOptions): Promise<ExecutionSummary> {
  const { url, operatorKey, refuseInProcess, print, pause = sleep } = options;
  const narrator = narrate(print);
  const api = connectExecution(url, operatorKey);
  // A breaker remembers, so every run has its own tenant.
  const tenant = `demo_tenant_${randomBytes(2).toString('hex')}`;
  narrator.banner(`Calls to a provider, for ${tenant}, on ${url}`);
  narrator.banner(
    "Times are the embedded cloud's, in UTC. Its clock is moved where a line says so (»).",
  );

  // First of all, because a wrong key or a cloud without a clock shows here.
  await api.clock();
  const orgKey = await openAccount(options, narrator, tenant);
  const scene = { api, narrator, pause, tenant, orgKey };
  let facts = 0;
  /** Each act needs what the one before left: the first that goes wrong ends the story. */
  const check = (claims: Readonly<Record<string, boolean>>) => {
    const wrong = refuted(claims);
    if (wrong.length > 0) throw new WentOtherwise(wrong);
    facts += Object.keys(claims).length;
  };
  const retried = await retry(scene);
  check(retryClaims(retried));
  const opened = await failUntilOpen(scene);
  check(openingClaims(opened));
  const refused = await callWhileOpen(scene, refuseInProcess);
  check(refusalClaims(refused, opened));
  const recovered = await recover(scene, refused.tasks);
  check(recoveryClaims(recovered));
  const exhausted = await useUpQuota(scene);
  check(quotaClaims(exhausted));
  const buried = await failForGood(scene);
  check(deadLetterClaims(buried));
  const forced = await interfere(scene);
  check(operatorClaims(forced));
  const played = { retried, opened, refused, recovered, exhausted, buried, forced };
  const recorded = await readRecord(scene);
  check(recordClaims(recorded, attemptsMade(played)));
  narrator.banner(`\nThe story went as it should: ${facts} facts hold.`);
  const { aheadMs } = await api.clock();
  return { ...played, recorded, aheadMs };
}

/** An organisation, and the key with which it reads how its providers do. */
async function openAccount(
  { url, operatorKey }: Pick<ExecutionDemoOptions, 'url' | 'operatorKey'>,
  narrator: Narrator,
  slug: string,
): Promise<string> {
  narrator.step('The operator opens an account for the tenant whose calls these are');
  const api = connect(url, operatorKey);
  await api.createOrg(slug, slug);
  const { api_key, scopes } = await api.issueOrgKey(slug, ['health:read']);
  narrator.tell(`organisation ${slug}, key ${masked(api_key)} for ${scopes.join(' and ')}`);
  return api_key;
}

async function retry(scene: Scene): Promise<Retried> {
  const { api, narrator, orgKey } = scene;
  narrator.step('A call fails twice, is tried again, and succeeds');
  const payload = { mode: 'fail_times', times: 2, http_status: 503, echo: 'at last' };
  const task = await untilEnded(scene, await start(scene, 'retried', payload));
  const listed = await api.attempts(orgKey, { correlation_id: task.correlation_id });
  const attempts = listed.toSorted((a, b) => a.attempt_number - b.attempt_number);
  const waitsMs = attempts.slice(1).map((attempt, i) => startMs(attempt) - endMs(attempts[i]));
  attempts.forEach(({ attempt_number, reason_code, http_status }, i) => {
    const waited = i === 0 ? '' : `  after a wait of ${inSeconds(waitsMs[i - 1] ?? 0)}`;
    narrator.tell(
      `attempt ${attempt_number}  HTTP ${http_status}  ${(reason_code ?? 'success').padEnd(22)}${waited}`,
    );
  });
  tellTask(narrator, task);
  return { task, attempts, waitsMs };
}

async function failUntilOpen(scene: Scene): Promise<Opened> {
  const { api, narrator, tenant } = scene;
  narrator.step('The provider answers with garbage until its breaker opens');
  const tasks: Task[] = [];
  const breakers: Breaker[] = [];
  for (let n = 1; n <= FAILURE_THRESHOLD; n++) {
    const task = await untilEnded(scene, await start(scene, `garbage-${n}`, { mode: 'garbage' }));
    const breaker = await api.breaker(tenant);
    tasks.push(task);
    breakers.push(breaker);
    narrator.refused(
      `call ${n}: ${reasonOf(task)}, ${task.state} after ${counted(task.attempts, 'attempt')}; breaker ${breaker.breaker_state}${until(breaker.open_until)}`,
    );
  }
  return { tasks, breakers };
}

async function callWhileOpen(
  scene: Scene,
  refuseInProcess: ExecutionDemoOptions['refuseInProcess'],
): Promise<RefusedCalls> {
  const { api, narrator, tenant, orgKey } = scene;
  narrator.step('While it is open, calls are refused at once, and nothing is sent');
  const payload = { mode: 'slow', delay_ms: PROBE_MS };
  const started = await startMany(scene, 'refused', REFUSED_TASKS, payload);
  const tasks = await untilEach(scene, 'the calls are settled', started, isSettled);
  const [first] = tasks;
  const attempts = await api.attempts(orgKey, { correlation_id: correlationOf(scene, 'refused') });
  if (first)
    narrator.refused(
      `${tasks.length} tasks: ${reasonOf(first)}, ${counted(first.attempts, 'attempt')}, ${attempts.length} of them sent; they wait${until(first.next_attempt_at)}`,
    );
  const inProcess = await refuseInProcess?.(tenant, REFUSED_IN_PROCESS);
  if (inProcess) {
    const { calls, refused, reads, writes, ms } = inProcess;
    narrator.refused(
      `${grouped(String(calls))} calls in process, without tasks: ${grouped(String(refused))} refused in ${ms.toFixed(1)} ms; they cost ${counted(reads, 'read')} and ${counted(writes, 'write')}`,
    );
  }
  return { tasks, attempts, inProcess };
}

async function recover(scene: Scene, refused: readonly Task[]): Promise<Recovered> {
  const { api, narrator, tenant } = scene;
  narrator.step('After the cooldown one probe goes through, and its success closes the breaker');
  const { open_until } = await api.breaker(tenant);
  const dueMs = Math.max(latestMs(refused), timeOf(open_until));
  // A second more, for what the instance's clock and the store's differ.
  await forwardTo(scene, dueMs + 1_000, 'the end of the cooldown');
  const isUndecided = ({ state, next_attempt_at }: Task) =>
    state === 'RUNNING' || (state === 'WAITING' && timeOf(next_attempt_at) <= dueMs);
  const whileProbing = await untilTogether(
    scene,
    'one call probes',
    refused,
    (tasks) => tasks.some(isEnded) || tasks.filter(isUndecided).length <= 1,
  );
  const halfOpen = await api.breaker(tenant);
  narrator.tell(`breaker ${halfOpen.breaker_state}: ${statesOf(whileProbing)}`);
  await forwardTo(scene, answersMs(whileProbing), 'the probe takes its time');
  const closed = await look(
    scene,
    'the probe closes the breaker',
    () => api.breaker(tenant),
    ({ breaker_state }) => breaker_state !== 'half_open',
  );
  const afterProbe = await untilTogether(scene, 'the probe is recorded', refused, (tasks) =>
    tasks.every(({ state }) => state !== 'RUNNING'),
  );
  narrator.good(`breaker ${closed.breaker_state}: ${statesOf(afterProbe)}`);
  await forwardTo(scene, latestMs(afterProbe.filter(isDeferred)), 'the others come again');
  const again = await untilEach(
    scene,
    'they come again',
    refused,
    ({ state }) => state !== 'WAITING',
  );
  await forwardTo(scene, answersMs(again), 'and take their time');
  const tasks = await untilEach(scene, 'they succeed', refused, isEnded);
  narrator.good(`all that were refused: ${statesOf(tasks)}`);
  return { halfOpen, whileProbing, closed, afterProbe, tasks };
}

async function useUpQuota(scene: Scene): Promise<Exhausted> {
  const { api, narrator, orgKey } = scene;
  narrator.step('The quota of a minute is used up');
  const { nowMs } = await api.clock();
  const nextMinuteMs = (Math.floor(nowMs / MINUTE_MS) + 1) * MINUTE_MS;
  await forwardTo(scene, nextMinuteMs, 'a new minute');
  const { quota: before } = await api.health(orgKey);
  const limit = before?.windows.find(({ window }) => window === 'minute')?.limit_count;
  if (limit === undefined)
    throw new WentOtherwise([
      'it is not so that the synthetic provider has a quota for each minute',
    ]);
  const tasks: Task[] = [];
  while (tasks.length < limit + SURPLUS) {
    const count = Math.min(AT_ONCE, limit + SURPLUS - tasks.length);
    const started = await startMany(scene, 'quota', count, { mode: 'succeed' }, tasks.length);
    tasks.push(...(await untilEach(scene, 'the calls are settled', started, isSettled)));
  }
  const answered = tasks.filter(isEnded);
  const refused = tasks.filter(isDeferred);
  const { quota } = await api.health(orgKey);
  narrator.good(`${answered.length} of ${tasks.length} calls: ${statesOf(answered)}`);
  for (const task of refused)
    narrator.refused(
      `${reasonOf(task)}, ${counted(task.attempts, 'attempt')}; it waits${until(task.next_attempt_at)}`,
    );
  if (quota)
    narrator.tell(
      `summary: ${quota.used_count} of ${quota.limit_count} a ${quota.window} used, ${quota.remaining_count} left; resets at ${clockTime(quota.window_end)}`,
    );
  await forwardTo(scene, latestMs(refused), 'the reset');
  const resumed = await untilEach(scene, 'what was refused succeeds', refused, isEnded);
  narrator.good(`those that were refused: ${statesOf(resumed)}`);
  return { limit, answered, refused, quota, resumed };
}

async function failForGood(scene: Scene): Promise<Buried> {
  const { api, narrator } = scene;
  narrator.step('A call that keeps failing becomes a dead letter, which is replayed');
  const payload = { mode: 'fail', reason: 'connection_error' };
  const task = await untilEnded(scene, await start(scene, 'buried', payload));
  tellTask(narrator, task);
  const id = letterIdOf(task);
  const letter = await api.deadLetter(id);
  narrator.tell(`dead letter ${id}, ${letter.status}:`);
  for (const field of LETTER_FIELDS)
    narrator.tell(`  ${field.padEnd(16)} ${letter[field] ?? 'null'}`);

  const { replayed_at: replayedAt } = await api.replay(id);
  narrator.tell(`replayed at ${clockTime(replayedAt)}: it has all its attempts again`);
  const taskAfter = await look(
    scene,
    'the replayed call ends',
    () => api.task(task.task_execution_id),
    (seen) => isEnded(seen) && seen.dead_letter_id !== id,
  );
  tellTask(narrator, taskAfter);
  const { replayed_at: repeatedAt } = await api.replay(id);
  const letterAfter = await api.deadLetter(id);
  const nextLetter = await api.deadLetter(letterIdOf(taskAfter));
  narrator.tell(
    `the letter is ${letterAfter.status}, and asked again it says only when; another is ${nextLetter.status}`,
  );
  return { task, letter, replayedAt, repeatedAt, taskAfter, letterAfter, nextLetter };
}

async function interfere(scene: Scene): Promise<Forced> {
  const { api, narrator, tenant } = scene;
  narrator.step('An operator opens the breaker by force, and releases it');
  const reason = 'maintenance at the provider';
  const { key } = await api.breaker(tenant);
  const { forced } = await api.forceOpen(key, reason);
  narrator.tell(`${key}: forced open by ${forced?.by}, "${forced?.reason}"`);
  await forward(scene, BREAKER_KNOWN_MS, 'an instance goes by what it knew for 45 s at most');
  const listed = await api.openBreakers(tenant);
  const started = await start(scene, 'forced', { mode: 'succeed' });
  const [refused = started] = await untilEach(scene, 'the call is settled', [started], isSettled);
  narrator.refused(
    `a call: ${reasonOf(refused)}, ${counted(refused.attempts, 'attempt')}; it waits${until(refused.next_attempt_at)}`,
  );
  const released = await api.release(key);
  narrator.tell(`released: breaker ${released.breaker_state}`);
  await forwardTo(scene, latestMs([refused]), 'the call comes again');
  const resumed = await untilEnded(scene, refused);
  tellTask(narrator, resumed);
  return { reason, listed, refused, released, resumed };
}

async function readRecord(scene: Scene): Promise<Recorded> {
  const { api, narrator, orgKey } = scene;
  narrator.step('The tenant reads how its provider does');
  const health = await api.health(orgKey);
  const attempts = await api.attempts(orgKey);
  const { quota } = health;
  const rate = health.success_rate_1h ?? 0;
  narrator.good(
    `${health.provider_name}: breaker ${health.breaker_state}, last hour ${(100 * rate).toFixed(1)} % succeeded, p95 ${health.p95_latency_ms_1h} ms`,
  );
  narrator.tell(
    `last success ${clockTime(health.last_success_at)}; last error ${clockTime(health.last_error_at)}, ${health.last_error_code}`,
  );
  for (const { window, used_count, limit_count, remaining_count } of quota?.windows ?? [])
    narrator.tell(
      `quota of the ${window.padEnd(6)}  ${used_count} of ${grouped(String(limit_count))} used, ${grouped(String(remaining_count))} left`,
    );
  const outcomes = Map.groupBy(attempts, ({ outcome }) => outcome);
  narrator.tell(
    `metrics: ${attempts.length} attempts, ${[...outcomes].map(([outcome, { length }]) => `${length} ${outcome}`).join(', ')}`,
  );
  return { attempts, health };
}

const correlationOf = ({ tenant }: Scene, name: string): string => `${tenant}-${name}`;

const start = (scene: Scene, name: string, payload: object, key = name): Promise<Task> =>
  scene.api.start(scene.tenant, { payload, key, correlation: correlationOf(scene, name) });

/**
 * Tasks of one correlation id, started together.
 *
 * @param from tasks of this name that there are already
 */
const startMany = (
  scene: Scene,
  name: string,
  count: number,
  payload: object,
  from = 0,
): Promise<Task[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) => start(scene, name, payload, `${name}-${from + i}`)),
  );

/** Looks again and again until it holds. */
async function look<T>(
  { narrator, pause }: Scene,
  what: string,
  read: () => Promise<T>,
  holds: (seen: T) => boolean,
): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    const seen = await read();
    if (holds(seen)) return seen;
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs > WAIT_MS_MAX)
      throw new WentOtherwise([
        `it is not so that ${what} within ${WAIT_MS_MAX / 1_000} s: ${JSON.stringify(seen)}`,
      ]);
    narrator.waiting(what, elapsedMs);
    await pause(LOOK_EVERY_MS);
  }
}

/** Until it holds of them all at once. */
const untilTogether = (
  scene: Scene,
  what: string,
  tasks: readonly Task[],
  holds: (tasks: readonly Task[]) => boolean,
): Promise<Task[]> =>
  look(scene, what, () => Promise.all(tasks.map((task) => readAgain(scene, task))), holds);

/** Until it has held of each, which is not looked at again then. */
const untilEach = (
  scene: Scene,
  what: string,
  tasks: readonly Task[],
  holds: (task: Task) => boolean,
): Promise<Task[]> => {
  let seen = [...tasks];
  const read = async () => {
    const looks = seen.map(async (task) => (holds(task) ? task : readAgain(scene, task)));
    return (seen = await Promise.all(looks));
  };
  return look(scene, what, read, (read) => read.every(holds));
};

const readAgain = ({ api }: Scene, { task_execution_id: id }: Task): Promise<Task> => api.task(id);

const untilEnded = (scene: Scene, { task_execution_id: id }: Task): Promise<Task> =>
  look(scene, 'the call ends', () => scene.api.task(id), isEnded);

const isEnded = ({ state }: Task): boolean => state === 'SUCCEEDED' || state === 'FAILED';

/** Refused, until a time that is known. One that ran out of time comes again at once. */
const isDeferred = (task: Task): boolean =>
  task.state === 'WAITING' && ['circuit_open', 'quota_exhausted'].includes(reasonOf(task));

/** Neither under way nor about to be. */
const isSettled = (task: Task): boolean => isEnded(task) || isDeferred(task);

async function forward({ api, narrator }: Scene, ms: number, why: string): Promise<void> {
  narrator.tell(`» the cloud's clock is moved forward by ${inSeconds(ms)}: ${why}`);
  await api.advance(ms);
}

async function forwardTo(scene: Scene, ms: number, why: string): Promise<void> {
  const { nowMs } = await scene.api.clock();
  if (ms + MARGIN_MS > nowMs) await forward(scene, ms + MARGIN_MS - nowMs, why);
}

/** When the last of them is due. */
const latestMs = (tasks: readonly Task[]): number =>
  Math.max(...tasks.map(({ next_attempt_at }) => timeOf(next_attempt_at)));

/** When the last of those under way has its answer, if they are slow ones. */
const answersMs = (tasks: readonly Task[]): number =>
  PROBE_MS +
  Math.max(
    ...tasks.filter(({ state }) => state === 'RUNNING').map(({ updated_at }) => timeOf(updated_at)),
  );

function letterIdOf({ task_execution_id, dead_letter_id }: Task): string {
  if (dead_letter_id !== null) return dead_letter_id;
  throw new WentOtherwise([`${task_execution_id} has left no dead letter`]);
}

const timeOf = (iso: string | null | undefined): number => Date.parse(iso ?? '');
const endMs = (attempt: Attempt | undefined): number => timeOf(attempt?.created_at);
const startMs = (attempt: Attempt): number => endMs(attempt) - attempt.duration_ms;

function tellTask(narrator: Narrator, task: Task): void {
  const { task_execution_id, state, attempts } = task;
  const text = `${task_execution_id}: ${state} after ${counted(attempts, 'attempt')}`;
  if (state === 'SUCCEEDED') narrator.good(text);
  else narrator.refused(`${text}, ${reasonOf(task)}`);
}

const reasonOf = ({ last_failure }: Task): string => last_failure?.reason_code ?? 'no failure';

/** `1 RUNNING, 4 WAITING` */
const statesOf = (tasks: readonly Task[]): string =>
  [...Map.groupBy(tasks, ({ state }) => state)]
    .map(([state, { length }]) => `${length} ${state}`)
    .toSorted()
    .join(', ');

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

const clockTime = (iso: string | null): string => iso?.slice(11, 19) ?? 'never';

const until = (iso: string | null): string => (iso === null ? '' : ` until ${clockTime(iso)}`);
