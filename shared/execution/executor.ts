import type { Permit } from './breaker.ts';
import type { BreakerHome, ExecutionRequest, ProviderTarget } from './call.ts';
import { Deadlines } from './deadlines.ts';
import { type ProviderError, providerErrorOf } from './errors.ts';
import type { Execution } from './execution.ts';
import { EVERY_TENANT, type ExecutionKey } from './key.ts';
import type { NewAttempt } from './metrics.ts';
import { type ExecutionEvent, type HealthPorts, KeyHealth, type Sample } from './key-health.ts';
import { type ExecutionPolicy, type ExecutionSettings, policyOf } from './policy.ts';
import type { ExecutionClock, ExecutionStore } from './ports.ts';
import { QuotaHolder } from './quota-holder.ts';
import { type ReasonCode, type Verdict, isRetryable, verdictOf } from './reasons.ts';
import type { Attempt, ProviderExecutionResult, ProviderFailure } from './result.ts';
import { delayMs, nextStep } from './retry.ts';
import { fullBudget, mayRetry, tokensAfter } from './retry-budget.ts';
import { ENDED, RunningCall } from './running-call.ts';

export interface ExecutionPorts {
  readonly store: ExecutionStore;
  readonly clock: ExecutionClock;
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** Read on first use. */
  readonly settings: () => ExecutionSettings;
  /** Names this instance in leases and probes; never used by another. */
  readonly instanceId: string;
  /** What it throws is ignored. */
  readonly onEvent?: (event: ExecutionEvent) => void;
}

/** All that one key needs, in memory. */
interface Lane {
  readonly id: string;
  readonly key: ExecutionKey;
  readonly policy: ExecutionPolicy;
  /** The breakers that must let a call through: the tenant's first, then the one over all tenants. */
  readonly breakers: readonly KeyHealth[];
  /** Where its attempts are counted. */
  readonly counts: KeyHealth;
  readonly quota: QuotaHolder | null;
  tokens: number;
  /** What the last call without a probe was let through with. */
  pass: Pass | null;
}

/** What a call was let through with. */
interface Pass {
  readonly permits: readonly Permit[];
  /** Of its quota unit; 0 where none is kept. */
  readonly generation: number;
  readonly isProbe: boolean;
}

/** Keys that one instance keeps in memory; beyond it the idle ones are forgotten. */
const LANES_MAX = 1_000;
/** How long a call waits to learn of a breaker that it knows nothing of. */
const LOOK_UP_MS = 1_000;
/** A pause may end a little later than the wait for it, by clocks and timers that are not exact. */
const PAUSE_SLACK_MS = 100;
/** Smaller steps of the clock are none. */
const CLOCK_STEP_MS = 1_000;
/** How long an answer waits for what is to be written with it. */
const PATIENCE_MS = 5_000;
/** When to try again what had no time left to begin. */
const OUT_OF_TIME_RETRY_MS = 1_000;

/** The execution layer over a store, a clock and a source of randomness. */
export function createExecution(ports: ExecutionPorts): Execution {
  return new Executor(ports);
}

class Executor implements Execution {
  readonly #ports: ExecutionPorts;
  readonly #clock: ExecutionClock;
  readonly #deadlines: Deadlines;
  readonly #idPrefix: string;
  readonly #offset = { ms: 0 };
  readonly #lanes = new Map<string, Lane>();
  readonly #healths = new Map<string, KeyHealth>();
  #health: HealthPorts | undefined;
  #settings: ExecutionSettings | undefined;
  #calls = 0;
  #holders = 0;
  #sweepAtMs = 0;
  #latestMs = Number.NEGATIVE_INFINITY;
  #numbers = 0;
  /** The lane of the last call: most instances call one provider for one tenant at a time. */
  #lastTarget: unknown;
  #lastLane: Lane | undefined;

  constructor(ports: ExecutionPorts) {
    this.#ports = ports;
    this.#clock = ports.clock;
    this.#deadlines = new Deadlines(ports.clock, (nowMs, atLeastMs) =>
      this.#notice(nowMs, Math.max(atLeastMs, this.#latestMs)),
    );
    this.#idPrefix = `cor_${ports.instanceId}_`;
  }

  policyOf(key: ExecutionKey): ExecutionPolicy {
    return policyOf(this.#given(), key);
  }

  run<Payload, Value>(
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
  ): Promise<ProviderExecutionResult<Value>> {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#latestMs) this.#notice(nowMs, this.#latestMs);
    this.#latestMs = nowMs;
    const lane = this.#laneOf(target, request);
    if (request.context?.signal?.aborted === true)
      return Promise.resolve(this.#cancelled(request, NONE));
    const pass = this.#passNow(lane, nowMs);
    if (pass !== null)
      return this.#attempt(lane, target, request, pass, this.#open(lane, request, nowMs), nowMs);
    const refusal = this.#refusalNow(lane, request, nowMs);
    return refusal === null
      ? this.#runSlowly(lane, target, request, nowMs)
      : Promise.resolve(refusal);
  }

  async flush(): Promise<void> {
    const pending = [...this.#healths.values()].filter((health) => health.hasPending);
    await Promise.all(pending.map((health) => health.flush()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].flatMap(({ quota }) => quota?.close() ?? []));
    await this.flush();
  }

  /** A clock that is set back would make every wait and every cooldown longer by as much. */
  #notice(nowMs: number, atLeastMs: number): void {
    const byMs = atLeastMs - nowMs;
    if (byMs < CLOCK_STEP_MS) return;
    this.#latestMs = nowMs;
    this.#sweepAtMs -= byMs;
    this.#offset.ms += byMs;
    for (const health of this.#healths.values()) health.shift(byMs);
    this.#deadlines.shift(byMs);
  }

  /** What memory alone refuses: nothing is asked, nothing is sent. */
  #refusalNow<Payload>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    nowMs: number,
  ): ProviderExecutionResult<never> | null {
    const spent = lane.quota?.refusalNow(nowMs) ?? null;
    if (spent && !spent.granted)
      return this.#deferred(request, NONE, refusalOf(spent.reason), new Date(spent.retryAtMs));
    const { breakers } = lane;
    for (let i = 0; i < breakers.length; i++) {
      const refusal = breakers[i]?.refusalNow(nowMs);
      if (refusal) return this.#deferred(request, NONE, refusal.reason, refusal.retryAt);
    }
    return null;
  }

  /** The usual case: every breaker is known to be closed, and a unit of quota is at hand. */
  #passNow(lane: Lane, nowMs: number): Pass | null {
    const { breakers, quota } = lane;
    for (let i = 0; i < breakers.length; i++) if (!breakers[i]?.isReady(nowMs)) return null;
    let generation = 0;
    if (quota) {
      generation = quota.takeNow(nowMs);
      if (generation === 0) return null;
    }
    const last = lane.pass;
    // The same for call after call, until a breaker changes or a window ends.
    if (last?.generation === generation && isPassOf(last, breakers)) return last;
    const permits = breakers.map(({ permit }) => permit);
    return (lane.pass = { permits, generation, isProbe: false });
  }

  async #runSlowly<Payload, Value>(
    lane: Lane,
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
    startMs: number,
  ): Promise<ProviderExecutionResult<Value>> {
    const call = this.#open(lane, request, startMs);
    const seeking = this.#seekLeave(lane, request, startMs, call);
    let leave: Pass | ProviderExecutionResult<never>;
    try {
      leave = await call.race(seeking);
    } catch {
      // The store took the whole budget, or the caller has left: what it still grants is given back.
      void seeking.then((late) => {
        if ('permits' in late) this.#giveBack(lane, late, this.#clock.nowMs());
        return this.#rest(lane, this.#clock.nowMs());
      });
      return this.#unsent(lane, request, call);
    }
    call.onEnd = null;
    const nowMs = this.#clock.nowMs();
    if (!('permits' in leave)) return this.#end(lane, call, nowMs, leave);
    if (call.ended === null && nowMs < call.deadlineMs)
      return this.#attempt(lane, target, request, leave, call, nowMs);
    this.#giveBack(lane, leave, nowMs);
    return this.#unsent(lane, request, call);
  }

  /** What memory cannot decide. Never rejects. */
  async #seekLeave<Payload>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    startMs: number,
    call: RunningCall<Payload>,
  ): Promise<Pass | ProviderExecutionResult<never>> {
    // An old breaker is looked up beside the call; an unknown one before it, if the store answers.
    const first: Promise<unknown>[] = [];
    for (const breaker of lane.breakers)
      if (breaker.isStale(startMs) && !breaker.isHanging(startMs)) {
        const looking = breaker.lookUp(startMs);
        if (breaker.isUnknown(startMs) || breaker.state !== 'closed') first.push(looking);
        else call.besides(looking);
      }
    if (first.length > 0) await this.#atMost(LOOK_UP_MS, Promise.all(first));
    for (const breaker of lane.breakers)
      if (breaker.isUnknown(startMs)) breaker.goOn(this.#clock.nowMs());
    const refusal = this.#refusalNow(lane, request, this.#clock.nowMs());
    if (refusal) return refusal;
    const generation = await this.#takeUnit(lane, this.#clock.nowMs());
    if (typeof generation !== 'number')
      return this.#deferred(request, NONE, generation.why, new Date(generation.retryAtMs), call);
    const permits: Permit[] = [];
    for (const breaker of lane.breakers) {
      const nowMs = this.#clock.nowMs();
      const admission = breaker.admission(nowMs);
      const claim =
        admission.kind === 'probe'
          ? await breaker.claim(nowMs, Math.max(0, call.deadlineMs - nowMs))
          : admission.kind === 'closed'
            ? { permit: breaker.permit }
            : { permit: null, retryAtMs: admission.retryAtMs, reason: admission.reason };
      if (!claim.permit) {
        this.#giveBack(lane, { permits, generation, isProbe: true }, nowMs);
        const reason = 'reason' in claim ? claim.reason : 'circuit_open';
        return this.#deferred(request, NONE, reason, new Date(claim.retryAtMs), call);
      }
      permits.push(claim.permit);
    }
    return { permits, generation, isProbe: permits.some(({ probeId }) => probeId !== null) };
  }

  /** A unit of quota by its generation, 0 where none is kept, or when to ask again. */
  async #takeUnit(
    lane: Lane,
    nowMs: number,
  ): Promise<number | { readonly why: Refusal; readonly retryAtMs: number }> {
    const { quota } = lane;
    if (!quota) return 0;
    const generation = quota.takeNow(nowMs);
    if (generation > 0) return generation;
    const taking = quota.take(nowMs);
    const answer = await this.#atMost(PATIENCE_MS, taking);
    if (answer)
      return answer.granted
        ? answer.generation
        : { why: refusalOf(answer.reason), retryAtMs: answer.retryAtMs };
    void taking.then((late) => {
      if (late.granted) quota.giveBack(late.generation);
    });
    // A store that hangs is an outage too, and there it may be better to serve.
    if (lane.policy.quota?.outage === 'serve') return 0;
    return { why: 'quota_unavailable', retryAtMs: this.#clock.nowMs() + OUT_OF_TIME_RETRY_MS };
  }

  /** Nothing was sent: the unit and the probes are free again. */
  #giveBack(lane: Lane, pass: Pass, nowMs: number): void {
    if (pass.generation > 0) lane.quota?.giveBack(pass.generation);
    this.#settle(lane, pass, 'ignored', nowMs);
  }

  #open<Payload>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    startMs: number,
  ): RunningCall<Payload> {
    const { context } = request;
    const deadlineMs = startMs + budgetOf(lane, request);
    const attempt = (context?.attemptsBefore ?? 0) + 1;
    const call = new RunningCall(request, attempt, deadlineMs, this.#clock, this.#newId);
    const signal = context?.signal;
    if (signal) call.endWith(signal);
    this.#deadlines.add(call);
    return call;
  }

  /**
   * The first attempt. One that succeeds takes two promises and no asynchronous function: the layer must
   * cost next to nothing when nothing is wrong.
   */
  #attempt<Payload, Value>(
    lane: Lane,
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
    pass: Pass,
    call: RunningCall<Payload>,
    nowMs: number,
  ): Promise<ProviderExecutionResult<Value>> {
    let made: unknown;
    try {
      made = target.invoke(call);
    } catch (thrown) {
      return this.#goOn(lane, target, request, pass, call, nowMs, thrown);
    }
    if (!isThenable(made))
      return Promise.resolve(this.#succeed(lane, request, pass, call, NONE, nowMs, made as Value));
    const answer = made as PromiseLike<Value>;
    if (call.ended !== null) {
      // It was ended while the attempt was being made: nobody waits for that any more.
      answer.then(undefined, () => undefined);
      return this.#goOn(lane, target, request, pass, call, nowMs, ENDED);
    }
    return new Promise((resolve) => {
      call.onEnd = () => resolve(this.#goOn(lane, target, request, pass, call, nowMs, ENDED));
      answer.then(
        (value) => {
          if (call.onEnd === null) return;
          call.onEnd = null;
          resolve(this.#succeed(lane, request, pass, call, NONE, nowMs, value));
        },
        (thrown: unknown) => {
          if (call.onEnd === null) return;
          call.onEnd = null;
          resolve(this.#goOn(lane, target, request, pass, call, nowMs, thrown));
        },
      );
    });
  }

  #succeed<Payload, Value>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    pass: Pass,
    call: RunningCall<Payload>,
    failed: readonly Attempt[],
    startedMs: number,
    value: Value,
  ): ProviderExecutionResult<Value> | Promise<ProviderExecutionResult<Value>> {
    const nowMs = this.#clock.nowMs();
    lane.tokens = tokensAfter(lane.tokens, 'success', lane.policy.retry);
    const attempt = this.#count(lane, request, call, startedMs, nowMs, SUCCESS);
    const attempts = failed.length === 0 ? [attempt] : [...failed, attempt];
    this.#settle(lane, pass, 'success', nowMs);
    const { correlationId, idempotencyKey } = call;
    const result = { status: 'succeeded', value, correlationId, idempotencyKey, attempts } as const;
    return this.#end(lane, call, nowMs, result);
  }

  /** The budget ended, or the caller left, before anything was sent. */
  #unsent<Payload>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    call: RunningCall<Payload>,
  ): ProviderExecutionResult<never> | Promise<ProviderExecutionResult<never>> {
    const nowMs = this.#clock.nowMs();
    const result = this.#endedEarly(request, NONE, nowMs, call);
    return this.#end(lane, call, nowMs, result);
  }

  /** Writes what is due before the call returns, as nothing runs after the response. */
  #end<Result>(
    lane: Lane,
    call: RunningCall<unknown> | RunningCall<never>,
    nowMs: number,
    result: Result,
  ): Result | Promise<Result> {
    this.#deadlines.remove(call);
    call.release();
    const rest = this.#rest(lane, nowMs);
    const { beside } = call;
    if (rest === null && beside === null) return result;
    // A store that hangs must not hold the answer back for long; what it does goes on.
    return this.#atMost(PATIENCE_MS, Promise.all([rest, beside])).then(() => result);
  }

  /** What `work`, which never rejects, comes to within `ms`; else undefined. */
  #atMost<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const timer = this.#clock.at(this.#clock.nowMs() + ms, () => resolve(undefined));
      void work.then((value) => {
        timer.cancel();
        resolve(value);
      });
    });
  }

  /** From the first attempt's failure on. */
  async #goOn<Payload, Value>(
    lane: Lane,
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
    pass: Pass,
    call: RunningCall<Payload>,
    firstMs: number,
    firstThrown: unknown,
  ): Promise<ProviderExecutionResult<Value>> {
    const { context } = request;
    const { retry } = lane.policy;
    const attempts: Attempt[] = [];
    let startedMs = firstMs;
    let thrown = firstThrown;
    for (;;) {
      const nowMs = this.#clock.nowMs();
      if (call.isCancelled) {
        attempts.push(this.#count(lane, request, call, startedMs, nowMs, GIVEN_UP));
        this.#settle(lane, pass, 'ignored', nowMs);
        return this.#end(lane, call, nowMs, this.#cancelled(request, attempts, call));
      }
      const error =
        thrown === ENDED ? providerErrorOf('timeout', OUT_OF_TIME) : errorFrom(target, thrown);
      lane.tokens = tokensAfter(lane.tokens, error.retryable ? 'retryable' : 'other', retry);
      const step = nextStep({
        policy: retry,
        // A probe has one attempt; and while most calls fail, retrying is left to the caller.
        mayWait: !pass.isProbe && call.ended === null && mayRetry(lane.tokens, retry),
        attemptsMade: call.attempt,
        retryable: error.retryable,
        retryAfterMs: error.retryAfterMs,
        random: this.#ports.random(),
        nowMs,
        deadlineMs: call.deadlineMs,
        notAfterMs: context?.notAfter?.getTime() ?? null,
      });
      if (error.reasonCode === 'rate_limited') {
        const pauseMs = error.retryAfterMs ?? delayMs(retry, 1, 0.5);
        // For this credential alone: other tenants have their own limits.
        lane.breakers[0]?.pause(nowMs + pauseMs, nowMs);
      }
      const ended: Ended = {
        outcome:
          step.kind !== 'stop' ? 'retry' : context?.deadLetters === true ? 'dead_letter' : 'failed',
        reasonCode: error.reasonCode,
        retryable: error.retryable,
        httpStatus: error.httpStatus,
      };
      attempts.push(this.#count(lane, request, call, startedMs, nowMs, ended));
      if (step.kind !== 'wait') {
        this.#settle(lane, pass, verdictOf(error.reasonCode), nowMs, error.reasonCode);
        return this.#end(lane, call, nowMs, {
          status: 'failed',
          failure: failureOf(error),
          retryAt: step.kind === 'later' ? new Date(step.atMs) : null,
          correlationId: call.correlationId,
          idempotencyKey: call.idempotencyKey,
          attempts,
        });
      }
      const leave = (await call.pause(step.ms))
        ? await this.#leaveToRetry(lane, request, call, attempts)
        : null;
      startedMs = this.#clock.nowMs();
      if (typeof leave !== 'number' || call.ended !== null) {
        if (typeof leave === 'number' && leave > 0) lane.quota?.giveBack(leave);
        this.#settle(lane, pass, verdictOf(error.reasonCode), startedMs, error.reasonCode);
        const result =
          typeof leave === 'object' && leave !== null
            ? leave
            : this.#endedEarly(request, attempts, startedMs, call);
        return this.#end(lane, call, startedMs, result);
      }
      call.attempt++;
      call.httpStatus = null;
      try {
        const made: unknown = target.invoke(call);
        const value = (isThenable(made) ? await call.race(made) : made) as Value;
        return await this.#succeed(lane, request, pass, call, attempts, startedMs, value);
      } catch (again) {
        thrown = again;
      } finally {
        call.onEnd = null;
      }
    }
  }

  /**
   * Asked before every further attempt: whether other calls' failures have opened the breaker, and for a
   * unit of quota, which it answers by its generation.
   */
  async #leaveToRetry<Payload>(
    lane: Lane,
    request: ExecutionRequest<Payload>,
    call: RunningCall<Payload>,
    attempts: readonly Attempt[],
  ): Promise<ProviderExecutionResult<never> | number> {
    let nowMs = this.#clock.nowMs();
    for (const breaker of lane.breakers) {
      let admission = breaker.admission(nowMs);
      if (
        admission.kind === 'refused' &&
        admission.reason === 'rate_limited' &&
        admission.retryAtMs - nowMs <= PAUSE_SLACK_MS
      ) {
        // The pause it has just waited out, by a clock or a timer that is a little off.
        await call.pause(admission.retryAtMs - nowMs);
        nowMs = this.#clock.nowMs();
        admission = breaker.admission(Math.max(nowMs, admission.retryAtMs));
      }
      if (admission.kind === 'refused') {
        const retryAt = new Date(admission.retryAtMs);
        return this.#deferred(request, attempts, admission.reason, retryAt, call);
      }
      if (admission.kind === 'probe')
        return this.#deferred(request, attempts, 'circuit_open', new Date(nowMs), call);
    }
    const taking = this.#takeUnit(lane, nowMs);
    try {
      const unit = await call.race(taking);
      return typeof unit === 'number'
        ? unit
        : this.#deferred(request, attempts, unit.why, new Date(unit.retryAtMs), call);
    } catch {
      void taking.then((late) => {
        if (typeof late === 'number' && late > 0) lane.quota?.giveBack(late);
      });
      return this.#endedEarly(request, attempts, this.#clock.nowMs(), call);
    } finally {
      call.onEnd = null;
    }
  }

  #settle(
    lane: Lane,
    { permits }: Pass,
    verdict: Verdict,
    nowMs: number,
    reasonCode: ReasonCode | null = null,
  ): void {
    const { breakers, key } = lane;
    for (let i = 0; i < permits.length; i++)
      breakers[i]?.settle(permits[i] as Permit, verdict, key.tenantId, nowMs, reasonCode);
  }

  /** What is written before the call returns, as nothing runs after the response. */
  #rest(lane: Lane, nowMs: number): Promise<unknown> | null {
    const prefetch = lane.quota?.prefetch(nowMs) ?? null;
    let pending: Promise<unknown> | null = lane.counts.due(nowMs);
    for (const breaker of lane.breakers) {
      const due = breaker === lane.counts ? null : breaker.due(nowMs);
      if (due) pending = pending ? Promise.all([pending, due]) : due;
    }
    const old = this.#oldest(nowMs);
    if (old) pending = pending ? Promise.all([pending, old]) : old;
    if (!prefetch) return pending;
    return pending ? Promise.all([pending, prefetch]) : prefetch;
  }

  /** Counts of a key that is not called any more go with some other key's call. */
  #oldest(nowMs: number): Promise<unknown> | null {
    if (nowMs < this.#sweepAtMs) return null;
    this.#sweepAtMs = nowMs + this.#given().telemetry.flush_after_s * 1_000;
    const old = [...this.#healths.values()].filter((health) => health.isOverdue(nowMs));
    return old.length === 0 ? null : Promise.all(old.map((health) => health.flush()));
  }

  #count(
    lane: Lane,
    request: ExecutionRequest<unknown>,
    call: RunningCall<unknown>,
    startedAtMs: number,
    endedAtMs: number,
    ended: Ended,
  ): Attempt {
    const attempt = new CountedAttempt(lane, request, call, startedAtMs, endedAtMs, ended);
    if (ended === GIVEN_UP) lane.counts.list(attempt);
    else lane.counts.record(attempt);
    return attempt;
  }

  readonly #newId = (): string => this.#idPrefix + String(++this.#calls);

  #idsOf({ context }: ExecutionRequest<unknown>): Ids {
    const correlationId = context?.correlationId ?? this.#newId();
    return { correlationId, idempotencyKey: context?.idempotencyKey ?? correlationId };
  }

  #deferred<Payload>(
    request: ExecutionRequest<Payload>,
    attempts: readonly Attempt[],
    why: Refusal,
    retryAt: Date,
    ids?: Ids,
  ): ProviderExecutionResult<never> {
    const correlationId = ids?.correlationId ?? request.context?.correlationId ?? this.#newId();
    const idempotencyKey = ids?.idempotencyKey ?? request.context?.idempotencyKey ?? correlationId;
    const failure = REFUSALS[why];
    return { status: 'deferred', failure, retryAt, correlationId, idempotencyKey, attempts };
  }

  #cancelled<Payload>(
    request: ExecutionRequest<Payload>,
    attempts: readonly Attempt[],
    ids: Ids = this.#idsOf(request),
  ): ProviderExecutionResult<never> {
    const { correlationId, idempotencyKey } = ids;
    return { status: 'cancelled', failure: CANCELLED, correlationId, idempotencyKey, attempts };
  }

  #endedEarly<Payload>(
    request: ExecutionRequest<Payload>,
    attempts: readonly Attempt[],
    nowMs: number,
    call: RunningCall<Payload>,
  ): ProviderExecutionResult<never> {
    return call.isCancelled
      ? this.#cancelled(request, attempts, call)
      : this.#outOfTime(request, attempts, nowMs, call);
  }

  #outOfTime<Payload>(
    request: ExecutionRequest<Payload>,
    attempts: readonly Attempt[],
    nowMs: number,
    ids: Ids = this.#idsOf(request),
  ): ProviderExecutionResult<never> {
    return {
      status: 'failed',
      failure: failureOf(providerErrorOf('timeout', OUT_OF_TIME)),
      retryAt: new Date(nowMs + OUT_OF_TIME_RETRY_MS),
      correlationId: ids.correlationId,
      idempotencyKey: ids.idempotencyKey,
      attempts,
    };
  }

  #given(): ExecutionSettings {
    return (this.#settings ??= this.#ports.settings());
  }

  #laneOf<Payload, Value>(
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
  ): Lane {
    const home = request.context?.breakerHome;
    const last = this.#lastLane;
    if (last && !home && this.#lastTarget === target && last.key.tenantId === request.tenantId)
      return last;
    const { providerName, capability } = target;
    const key = { tenantId: request.tenantId, providerName, capability };
    const id = JSON.stringify([key.tenantId, providerName, capability]);
    let lane = this.#lanes.get(id);
    // The most recently used stay: a map keeps the order of insertion.
    if (lane) this.#lanes.delete(id);
    else lane = this.#newLane(id, key, home ?? null);
    // A new lane as well: its breaker may be an old one, known from another tenant's calls.
    if (home) for (const breaker of lane.breakers) breaker.adopt(home.known);
    this.#lanes.set(id, lane);
    this.#lastTarget = target;
    this.#lastLane = lane;
    return lane;
  }

  #newLane(id: string, key: ExecutionKey, home: BreakerHome | null): Lane {
    if (this.#lanes.size >= LANES_MAX) this.#forget();
    const policy = this.policyOf(key);
    const everyone = { ...key, tenantId: EVERY_TENANT };
    const counted =
      policy.healthUnder === null ? key : { ...key, providerName: policy.healthUnder };
    const breakers =
      policy.breaker.scope === 'none'
        ? []
        : policy.breaker.scope === 'provider'
          ? [this.#healthOf(everyone, home)]
          : key.tenantId === EVERY_TENANT
            ? [this.#healthOf(key, home)]
            : [this.#healthOf(key, home), this.#overAll(everyone)];
    return {
      id,
      key,
      policy,
      breakers,
      counts: this.#healthOf(counted, null),
      quota: policy.quota && this.#holderOf(key, policy.quota),
      tokens: fullBudget(policy.retry),
      pass: null,
    };
  }

  /**
   * The breaker over all tenants costs the first call of a new key no read: the second looks it up
   * beside its own work, and a failure, which is added to it, tells at once whether it is open.
   */
  #overAll(everyone: ExecutionKey): KeyHealth {
    const known = this.#healths.size;
    const health = this.#healthOf(everyone, null);
    if (this.#healths.size > known) health.goOn(this.#clock.nowMs());
    return health;
  }

  #holderOf(key: ExecutionKey, quota: NonNullable<ExecutionPolicy['quota']>): QuotaHolder {
    const { store, clock, random, instanceId } = this.#ports;
    return new QuotaHolder(key, quota, {
      store,
      clock,
      random,
      newHolderId: () => `${instanceId}_${++this.#holders}`,
      onOutage: (error) => this.#emit({ kind: 'store_unavailable', key, error }),
    });
  }

  #healthOf(key: ExecutionKey, home: BreakerHome | null): KeyHealth {
    const id = JSON.stringify([key.tenantId, key.providerName, key.capability]);
    let health = this.#healths.get(id);
    if (!health) {
      const { telemetry } = this.#given();
      const snapshotS =
        key.tenantId === EVERY_TENANT ? telemetry.global_snapshot_s : telemetry.snapshot_s;
      health = new KeyHealth(
        key,
        this.policyOf(key).breaker,
        snapshotS * 1_000,
        home,
        (this.#health ??= this.#healthPorts()),
      );
      this.#healths.set(id, health);
    }
    return health;
  }

  #healthPorts(): HealthPorts {
    const { store, clock, random, instanceId } = this.#ports;
    return {
      store,
      clock,
      random,
      instanceId,
      telemetry: this.#given().telemetry,
      offset: this.#offset,
      emit: (event) => this.#emit(event),
      nextNumber: () => ++this.#numbers,
    };
  }

  /** Drops the half that was used longest ago, as far as it holds nothing. */
  #forget(): void {
    const candidates = [...this.#lanes.values()].slice(0, LANES_MAX / 2);
    for (const lane of candidates)
      if (lane.quota?.isIdle !== false && !lane.breakers.some((breaker) => breaker.hasPending))
        this.#lanes.delete(lane.id);
    const used = new Set(
      [...this.#lanes.values()].flatMap((lane) => [...lane.breakers, lane.counts]),
    );
    for (const [id, health] of this.#healths)
      if (!used.has(health) && !health.hasPending) this.#healths.delete(id);
  }

  #emit(event: ExecutionEvent): void {
    try {
      this.#ports.onEvent?.(event);
    } catch {
      // A listener's fault is not the call's.
    }
  }
}

interface Ids {
  readonly correlationId: string;
  readonly idempotencyKey: string;
}

function isPassOf({ permits }: Pass, breakers: readonly KeyHealth[]): boolean {
  for (let i = 0; i < breakers.length; i++) if (breakers[i]?.permit !== permits[i]) return false;
  return true;
}

const NONE: readonly Attempt[] = [];

const SUCCESS = {
  outcome: 'success',
  reasonCode: null,
  retryable: false,
  httpStatus: null,
} as const;

/** Its caller has left: nothing is known of the provider. */
const GIVEN_UP = {
  outcome: 'failed',
  reasonCode: null,
  retryable: false,
  httpStatus: null,
} as const;

type Ended = Pick<Attempt, 'outcome' | 'reasonCode' | 'retryable' | 'httpStatus'>;

/** An attempt, and what its row needs, which is made when it is written. It keeps no payload. */
class CountedAttempt implements Attempt, Sample {
  readonly attemptNumber: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: Attempt['outcome'];
  readonly reasonCode: ReasonCode | null;
  readonly retryable: boolean;
  readonly httpStatus: number | null;
  readonly #lane: Lane;
  readonly #operation: string;
  readonly #taskExecutionId: string | null;
  readonly #budgetMs: number;
  readonly #correlationId: string;
  readonly #idempotencyKey: string;
  #rowName: string | null = null;

  constructor(
    lane: Lane,
    request: ExecutionRequest<unknown>,
    call: RunningCall<unknown>,
    startedAtMs: number,
    endedAtMs: number,
    ended: Ended,
  ) {
    this.attemptNumber = call.attempt;
    this.startedAtMs = startedAtMs;
    this.durationMs = Math.max(0, endedAtMs - startedAtMs);
    this.outcome = ended.outcome;
    this.reasonCode = ended.reasonCode;
    this.retryable = ended.retryable;
    this.httpStatus = ended.httpStatus ?? call.httpStatus;
    this.#lane = lane;
    this.#operation = request.operation;
    this.#taskExecutionId = request.context?.taskExecutionId ?? null;
    this.#budgetMs = budgetOf(lane, request);
    this.#correlationId = call.correlationId;
    this.#idempotencyKey = call.idempotencyKey;
  }

  rowName(make: () => string): string {
    return (this.#rowName ??= make());
  }

  row(): NewAttempt {
    const { key, policy } = this.#lane;
    return {
      tenant_id: key.tenantId,
      task_execution_id: this.#taskExecutionId,
      provider_name: key.providerName,
      capability: key.capability,
      operation: this.#operation,
      idempotency_key: this.#idempotencyKey,
      correlation_id: this.#correlationId,
      attempt_number: this.attemptNumber,
      max_attempts: policy.retry.maxAttempts,
      duration_ms: this.durationMs,
      timeout_budget_ms: this.#budgetMs,
      outcome: this.outcome,
      reason_code: this.reasonCode,
      retryable: this.retryable,
      http_status: this.httpStatus,
      created_at: timestampOf(this.startedAtMs + this.durationMs),
    };
  }
}

let writtenMs = Number.NaN;
let written = '';
/** Many calls end in the same millisecond, and writing a time is dear. */
function timestampOf(ms: number): string {
  if (ms !== writtenMs) {
    writtenMs = ms;
    written = new Date(ms).toISOString();
  }
  return written;
}

const OUT_OF_TIME = 'the time budget of this call was used up';

const refusal = (reasonCode: ReasonCode, errorType: string, message: string): ProviderFailure => ({
  reasonCode,
  errorType,
  message,
  httpStatus: null,
  retryable: isRetryable(reasonCode),
});

/** Refusals carry no stack: under a storm they must cost next to nothing. */
const REFUSALS = {
  circuit_open: refusal(
    'circuit_open',
    'ProviderCircuitOpenError',
    'the circuit breaker is open: the provider has failed too often',
  ),
  quota_exhausted: refusal(
    'quota_exhausted',
    'ProviderQuotaExceededError',
    'the quota of this window is used up',
  ),
  quota_unavailable: refusal(
    'quota_exhausted',
    'ProviderQuotaExceededError',
    'the quota cannot be asked, as the store does not answer',
  ),
  rate_limited: refusal(
    'rate_limited',
    'ProviderRateLimitError',
    'the provider asked for a pause that is not over',
  ),
};

type Refusal = keyof typeof REFUSALS;

const refusalOf = (reason: 'exhausted' | 'unavailable'): Refusal =>
  reason === 'exhausted' ? 'quota_exhausted' : 'quota_unavailable';

const CANCELLED: ProviderFailure = {
  reasonCode: null,
  errorType: 'Cancelled',
  message: 'the caller cancelled this call',
  httpStatus: null,
  retryable: false,
};

function budgetOf(lane: Lane, { context }: ExecutionRequest<unknown>): number {
  const policyMs = lane.policy.timeoutBudgetMs;
  const asked = context?.timeoutBudgetMs;
  return asked === undefined ? policyMs : Math.min(policyMs, asked);
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'then' in value &&
  typeof value.then === 'function';

/** @returns what `errorOf` makes of it; a mapping that fails itself is a fault of ours */
function errorFrom<Payload, Value>(
  target: ProviderTarget<Payload, Value>,
  thrown: unknown,
): ProviderError {
  try {
    return target.errorOf(thrown);
  } catch (cause) {
    return providerErrorOf('internal_error', 'its error could not be read', { cause });
  }
}

const failureOf = (error: ProviderError): ProviderFailure => ({
  reasonCode: error.reasonCode,
  errorType: error.name,
  message: error.message,
  httpStatus: error.httpStatus,
  retryable: error.retryable,
});
