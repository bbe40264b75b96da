import { AsyncLocalStorage } from 'node:async_hooks';

import type { ProviderCall } from '../../../shared/execution/call.ts';
import { providerErrorOf } from '../../../shared/execution/errors.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { createExecution } from '../../../shared/execution/executor.ts';
import { type ProviderHealthState, healthStates } from '../../../shared/execution/health.ts';
import type { ExecutionEvent } from '../../../shared/execution/key-health.ts';
import { EVERY_TENANT, type ExecutionKey, keyId } from '../../../shared/execution/key.ts';
import { type AttemptRow, executionMetrics, rowsOf } from '../../../shared/execution/metrics.ts';
import type { ExecutionSettings, QuotaWindow } from '../../../shared/execution/policy.ts';
import type { ExecutionClock, ExecutionStore } from '../../../shared/execution/ports.ts';
import { ProviderBase } from '../../../shared/execution/provider-base.ts';
import type { ProviderExecutionResult } from '../../../shared/execution/result.ts';
import type { Store } from '../../../shared/runtime/services.ts';
import { ref } from '../../../shared/store/collection.ts';
import type { Write } from '../../../shared/store/decision.ts';
import { settingsWith } from '../../shared/execution/support/scripted.ts';
import type { Answer, Rules, Scenario, Step } from './execution-scenarios.ts';

/** Where instances run. */
export interface World {
  /** The store's time, which is the true one. */
  readonly clock: ExecutionClock;
  readonly pass: (ms: number) => Promise<void>;
  /** The same one, over as many connections; instances take them in turn. */
  readonly stores: readonly Store[];
  /** What the store is still at, for the dead as well: to be awaited before its connections end. */
  readonly work: Set<Promise<unknown>>;
  /** Every time in a scenario and in its settings is multiplied by it. */
  readonly tempo: number;
  /** What passes between two readings of the clock in one turn. */
  readonly slackMs: number;
  /** The window that quotas are of. A long one is not waited for. */
  readonly window: QuotaWindow;
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number;
}

/** What happened: a run in which nothing did would prove nothing. */
export interface Seen {
  calls: number;
  dispatched: number;
  probes: number;
  /** Most probes of one era at once. */
  probesAtOnce: number;
  opened: number;
  closed: number;
  refusedByBreaker: number;
  refusedByQuota: number;
  cancelled: number;
  killed: number;
  outages: number;
}

export const nothingSeen = (): Seen => ({
  calls: 0,
  dispatched: 0,
  probes: 0,
  probesAtOnce: 0,
  opened: 0,
  closed: 0,
  refusedByBreaker: 0,
  refusedByQuota: 0,
  cancelled: 0,
  killed: 0,
  outages: 0,
});

/** A probe slot that a call has claimed. */
interface Slot {
  readonly path: string;
  readonly epoch: number;
}

interface Call {
  readonly instance: Instance;
  readonly tenantId: string;
  readonly answers: readonly Answer[];
  readonly controller: AbortController;
  readonly startedMs: number;
  readonly slots: Slot[];
  dispatched: number;
  /** Whether the provider is at work on an attempt. */
  isAtWork: boolean;
  result: ProviderExecutionResult<unknown> | null;
}

interface Instance {
  readonly id: string;
  readonly store: Store;
  readonly execution: Execution;
  readonly provider: Provider;
  readonly skewMs: number;
  /** Calls of the store that are not answered yet. */
  underWay: number;
  isDead: boolean;
}

const CAPABILITY = 'testing';
const BUDGET_MS = 5_000;
const SNAPSHOT_MS = 10_000;
/** Knowledge older than so many snapshot intervals is not acted on. */
const STALE_INTERVALS = 3;
/** What health windows forget is not compared. */
const RUN_MS_MAX = 35 * 60_000;
const FOREVER = new Promise<never>(() => undefined);

let runs = 0;

/**
 * Instances of the execution layer over one store, a provider that does what it is told, and what
 * happens in between. Whatever must hold is looked at as it goes; what did not is in `broken`.
 */
export class Run {
  readonly broken: string[] = [];
  readonly #world: World;
  readonly #rules: Rules;
  readonly #seen: Seen;
  readonly #name = `p${++runs}-${process.pid}`;
  readonly #settings: ExecutionSettings;
  readonly #callOf = new AsyncLocalStorage<Call>();
  readonly #living: Instance[] = [];
  readonly #calls: Call[] = [];
  readonly #used = new Map<string, number>();
  readonly #transitions = new Map<string, { from: string; to: string }>();
  /** By document: since when the breaker has not been closed, as far as was heard. */
  readonly #barred = new Map<string, { epoch: number; sinceMs: number | null }>();
  readonly #startMs: number;
  #isDown = false;
  #isOver = false;
  /** Anything may have gone unheard. */
  #isDisturbed: boolean;
  #instances = 0;
  #answered = Promise.withResolvers<void>();

  /** @param disturbed whether calls of the store may fail */
  constructor(
    world: World,
    { rules, skewsMs }: Pick<Scenario, 'rules' | 'skewsMs'>,
    seen: Seen,
    disturbed: boolean,
  ) {
    this.#world = world;
    this.#rules = rules;
    this.#seen = seen;
    this.#isDisturbed = disturbed;
    this.#startMs = world.clock.nowMs();
    this.#settings = settingsOf(rules, this.#name, world);
    for (const skewMs of skewsMs) this.#living.push(this.#start(skewMs));
  }

  async play(steps: Scenario['steps']): Promise<void> {
    for (const [step, turns] of steps) {
      if (this.#isOver) return;
      await this.#do(step);
      for (let turn = 0; turn < turns; turn++) await nextTurn();
    }
  }

  /** The end: the provider is well, nobody disturbs, and what was promised is looked at. */
  async end(): Promise<readonly string[]> {
    this.#isOver = true;
    this.#isDown = false;
    await this.#untilSettled(this.#calls);
    for (const call of this.#calls) this.#checkResult(call);
    for (const instance of this.#living)
      for (const tenantId of this.#tenants()) await this.#admits(instance, tenantId);
    for (const instance of this.#living) await instance.execution.close();
    await this.#rest();
    await this.#checkCounts();
    return this.broken;
  }

  kill(index: number): void {
    const at = index % this.#living.length;
    const dying = this.#living[at] as Instance;
    dying.isDead = true;
    this.#goOn();
    this.#seen.killed++;
    this.#living[at] = this.#start(dying.skewMs);
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'call':
        return this.#call(this.#at(step.instance), `t${step.tenant}-${this.#name}`, step.answers);
      case 'cancel': {
        const running = this.#calls.filter(isRunning);
        running.at(-1 - step.nth)?.controller.abort();
        return;
      }
      case 'outage':
        this.#isDown = step.isDown;
        return;
      case 'pass': {
        const leftMs = this.#startMs + RUN_MS_MAX - this.#world.clock.nowMs();
        // To the instances it looks as if the store hung.
        if (this.#isBusy()) this.#isDisturbed = true;
        return this.#world.pass(Math.min(leftMs, step.ms * this.#world.tempo));
      }
      case 'rest':
        return this.#rest();
      case 'flush':
        void this.#at(step.instance).execution.flush();
        return;
      case 'kill':
        this.kill(step.instance);
    }
  }

  readonly #at = (index: number): Instance => this.#living[index % this.#living.length] as Instance;

  #tenants(): string[] {
    return [...new Set(this.#calls.map(({ tenantId }) => tenantId))];
  }

  #start(skewMs: number): Instance {
    const { clock, stores, random } = this.#world;
    const nth = ++this.#instances;
    const store = stores[nth % stores.length] as Store;
    const id = `${this.#name}i${nth}`;
    const execution = createExecution({
      store: this.#watched(store, () => instance),
      clock: {
        nowMs: () => clock.nowMs() + skewMs,
        at: (dueMs, fire) => clock.at(dueMs - skewMs, fire),
      },
      random,
      settings: () => this.#settings,
      instanceId: id,
      onEvent: (event) => this.#hear(event),
    });
    const provider = new Provider(execution, this.#name, (call) => this.#serve(call));
    const instance: Instance = {
      id,
      store,
      execution,
      provider,
      skewMs,
      underWay: 0,
      isDead: false,
    };
    return instance;
  }

  /** The store as an instance has it: what is under way is known, and the dead hear nothing. */
  #watched(store: Store, of: () => Instance): ExecutionStore {
    const watch = async <T>(work: Promise<T>): Promise<T> => {
      const instance = of();
      instance.underWay++;
      this.#world.work.add(work);
      const [ended] = await Promise.allSettled([work]);
      this.#world.work.delete(work);
      instance.underWay--;
      this.#goOn();
      if (instance.isDead) return FOREVER;
      if (ended.status === 'rejected') throw ended.reason;
      return ended.value;
    };
    return {
      get: (place) => watch(store.get(place)),
      write: (writes) => watch(store.write(writes)),
      revise: async (refs, rule) => {
        const claims = new ClaimWatch();
        const revised = store.revise(refs, (docs, readAt) => {
          // Whoever dies between the read and the commit leaves nothing.
          if (of().isDead) throw new Error('its process is gone');
          const decided = rule(docs, readAt);
          claims.see((docs as { health?: ProviderHealthState | null }).health, decided.writes);
          return decided;
        });
        const noted = revised.then((reply) => {
          this.#noteState(claims.written());
          return reply;
        });
        const reply = await watch(noted);
        this.#callOf.getStore()?.slots.push(...claims.slots());
        return reply;
      },
    };
  }

  #noteState(health: ProviderHealthState | null): void {
    if (!health) return;
    const { epoch } = health.breaker;
    const known = this.#barred.get(health.id);
    if (known && known.epoch > epoch) return;
    const sinceMs =
      health.breaker_state === 'closed' ? null : (known?.sinceMs ?? this.#world.clock.nowMs());
    this.#barred.set(health.id, { epoch, sinceMs });
  }

  #hear(event: ExecutionEvent): void {
    if (event.kind === 'store_unavailable') this.#seen.outages++;
    if (event.kind === 'attempts_dropped') this.#break('attempts were dropped');
    if (event.kind !== 'breaker_changed') return;
    const { key, from, to, epoch } = event;
    if (to === 'open') this.#seen.opened++;
    if (to === 'closed') this.#seen.closed++;
    const at = (n: number) => `${keyId(key)} ${n}`;
    if (this.#transitions.has(at(epoch)))
      this.#break(`case 18: transition ${epoch} of ${keyId(key)} was told twice`);
    const before = this.#transitions.get(at(epoch - 1));
    if (before && before.to !== from)
      this.#break(`a breaker went to ${before.to}, and then from ${from} to ${to}`);
    this.#transitions.set(at(epoch), { from, to });
  }

  #call(instance: Instance, tenantId: string, answers: readonly Answer[]): void {
    const call: Call = {
      instance,
      tenantId,
      answers,
      controller: new AbortController(),
      startedMs: this.#world.clock.nowMs(),
      slots: [],
      dispatched: 0,
      isAtWork: false,
      result: null,
    };
    const nth = this.#calls.push(call);
    this.#seen.calls++;
    const { signal } = call.controller;
    const request = {
      tenantId,
      campaignId: null,
      operation: 'test',
      payload: {},
      context: { correlationId: `${this.#name}c${nth}`, signal },
    };
    this.#callOf
      .run(call, () => instance.provider.execute(request))
      .then(
        (result) => (call.result = result),
        (error: unknown) => this.#break(`execute threw ${String(error)}`),
      );
  }

  /** One attempt has reached the provider. */
  async #serve({ correlationId }: ProviderCall<unknown>): Promise<unknown> {
    const call = this.#callOf.getStore();
    if (!call) throw new Error('an attempt belongs to a call');
    // What a dead process would do does not happen.
    if (call.instance.isDead) return FOREVER;
    this.#checkDispatch(call, correlationId);
    const answer = call.answers[Math.min(call.dispatched, call.answers.length) - 1];
    call.isAtWork = true;
    try {
      return await this.#answer(answer ?? { kind: 'ok' });
    } finally {
      call.isAtWork = false;
    }
  }

  async #answer(answer: Answer): Promise<unknown> {
    const { clock, tempo } = this.#world;
    if (this.#isDown) throw providerErrorOf('dependency_unavailable', 'it is down');
    switch (answer.kind) {
      case 'ok':
        return 'ok';
      case 'fail':
        throw providerErrorOf(answer.reason, 'it was told to fail');
      case 'rate_limited': {
        const retryAfterMs = Math.round(answer.retryAfterMs * tempo);
        throw providerErrorOf('rate_limited', 'it wants a pause', { retryAfterMs });
      }
      case 'slow':
        await new Promise<void>((done) => clock.at(clock.nowMs() + answer.ms * tempo, done));
        if (answer.fails) throw providerErrorOf('timeout', 'it was slow and failed');
        return 'late';
      case 'throw':
        throw new TypeError('of no known kind');
      case 'hang':
        return FOREVER;
    }
  }

  #checkDispatch(call: Call, name: string): void {
    const nowMs = this.#world.clock.nowMs();
    call.dispatched++;
    this.#seen.dispatched++;
    if (call.controller.signal.aborted)
      this.#break(`case 29: attempt ${call.dispatched} of ${name} came after its cancellation`);
    if (nowMs > this.#deadlineMs(call) + this.#world.slackMs)
      this.#break(
        `case 30: attempt ${call.dispatched} of ${name} came ${nowMs - this.#deadlineMs(call)} ms after its budget`,
      );
    if (call.slots.length > 0 && call.dispatched > 1) this.#break(`probe ${name} was retried`);
    this.#checkQuota(call.tenantId, nowMs);
    this.#checkProbes(call, name);
    this.#checkKnown(call, name);
  }

  #checkQuota(tenantId: string, nowMs: number): void {
    const { limit } = this.#rules;
    if (limit === null) return;
    const window = new Date(nowMs).toISOString().slice(0, WINDOW_DIGITS[this.#world.window]);
    const used = (this.#used.get(tenantId + window) ?? 0) + 1;
    this.#used.set(tenantId + window, used);
    if (used > limit) this.#break(`case 37: attempt ${used} of ${limit} that ${window} has`);
  }

  #checkProbes(call: Call, name: string): void {
    if (call.slots.length > 0) this.#seen.probes++;
    for (const { path, epoch } of call.slots) {
      const others = this.#calls.filter(
        (other) =>
          other !== call &&
          this.#isAtWork(other) &&
          other.slots.some((slot) => slot.path === path && slot.epoch === epoch),
      );
      const atOnce = others.length + 1;
      this.#seen.probesAtOnce = Math.max(this.#seen.probesAtOnce, atOnce);
      if (atOnce > this.#rules.halfOpenMaxCalls)
        this.#break(`case 05: ${name} is probe ${atOnce} at once of epoch ${epoch}`);
    }
  }

  #isAtWork({ instance, isAtWork, controller, startedMs }: Call): boolean {
    if (instance.isDead || !isAtWork || controller.signal.aborted) return false;
    return this.#world.clock.nowMs() < startedMs + BUDGET_MS * this.#world.tempo;
  }

  /** Nobody goes for long by what a breaker was. */
  #checkKnown(call: Call, name: string): void {
    if (this.#isDisturbed || call.slots.length > 0 || call.dispatched > 1) return;
    const tenantId = this.#rules.scope === 'tenant' ? call.tenantId : EVERY_TENANT;
    const { sinceMs = null } = this.#barred.get(keyId(this.#keyOf(tenantId))) ?? {};
    const knownMs = STALE_INTERVALS * SNAPSHOT_MS * this.#world.tempo + this.#world.slackMs;
    const isKept = this.#rules.scope === 'tenant';
    if (isKept && sinceMs !== null && call.startedMs - sinceMs > knownMs)
      this.#break(`${name} went past a breaker that has long been open`);
  }

  readonly #deadlineMs = ({ startedMs }: Call): number => startedMs + BUDGET_MS * this.#world.tempo;

  readonly #keyOf = (tenantId: string): ExecutionKey => ({
    tenantId,
    providerName: this.#name,
    capability: CAPABILITY,
  });

  #checkResult(call: Call): void {
    const { result, dispatched, instance, controller, slots } = call;
    if (instance.isDead || !result) return;
    const { attempts, correlationId: name, status } = result;
    const numbers = attempts.map(({ attemptNumber }) => attemptNumber);
    if (numbers.join() !== Array.from({ length: dispatched }, (_, i) => i + 1).join())
      this.#break(`${name} made ${dispatched} attempts and tells of ${numbers.join()} (${status})`);
    if (attempts.length > this.#rules.maxAttempts)
      this.#break(`case 24: ${name} made ${attempts.length} attempts`);
    const last = attempts.at(-1)?.outcome;
    if ((status === 'succeeded') !== (last === 'success'))
      this.#break(`${name} ${status} with a last attempt that was a ${last}`);
    if (status === 'cancelled') {
      this.#seen.cancelled++;
      if (!controller.signal.aborted) this.#break(`${name} was cancelled by nobody`);
    }
    if (status !== 'deferred') return;
    const { reasonCode } = result.failure;
    if (reasonCode === 'circuit_open') this.#seen.refusedByBreaker++;
    if (reasonCode === 'quota_exhausted') this.#seen.refusedByQuota++;
    if (slots.length > 0 && attempts.length > 0) this.#break(`probe ${name} was retried`);
  }

  /** A tenant's calls are let through again, and the breakers of a healthy provider close. */
  async #admits(instance: Instance, tenantId: string): Promise<void> {
    const { clock, pass, tempo, window } = this.#world;
    const keys = (this.#rules.scope === 'tenant' ? [tenantId, EVERY_TENANT] : [EVERY_TENANT]).map(
      (each) => ref(healthStates, keyId(this.#keyOf(each))),
    );
    let said = '';
    for (let tries = 0; tries < 30; tries++) {
      const from = this.#calls.length;
      this.#call(instance, tenantId, [{ kind: 'ok' }]);
      await this.#untilSettled(this.#calls.slice(from));
      const [call] = this.#calls.slice(from);
      if (!call?.result) return;
      const { result } = call;
      this.#checkResult(call);
      said = `${result.status} ${'failure' in result ? result.failure.reasonCode : ''}`;
      if (result.status === 'succeeded') {
        const docs = await Promise.all(keys.map((key) => instance.store.get(key)));
        if (docs.every((doc) => (doc?.breaker_state ?? 'closed') === 'closed')) return;
        await pass(5_000 * tempo);
        continue;
      }
      if ('failure' in result && result.failure.reasonCode === 'quota_exhausted') {
        if (window !== 'minute' || this.#rules.limit === 0) return;
      }
      const retryAt = 'retryAt' in result && result.retryAt ? result.retryAt.getTime() : 0;
      await pass(Math.max(1_000 * tempo, retryAt - instance.skewMs - clock.nowMs()));
    }
    this.#break(`${instance.id} lets nothing through again for ${tenantId}: ${said}`);
  }

  async #checkCounts(): Promise<void> {
    const [reader] = this.#living;
    if (!reader) return;
    for (const tenantId of this.#tenants()) {
      const rows = await rowsFor(reader.store, tenantId);
      const told = this.#calls.filter((call) => call.tenantId === tenantId);
      this.#checkRows(told, rows);
      const sure = told.flatMap(({ instance, result }) =>
        instance.isDead ? [] : (result?.attempts.filter(isCounted) ?? []),
      ).length;
      const most = told.reduce(
        (sum, call) => sum + (call.instance.isDead ? call.dispatched : 0),
        sure,
      );
      const health = await reader.store.get(ref(healthStates, keyId(this.#keyOf(tenantId))));
      const counted = (health?.windows ?? []).reduce(
        (sum, { succeeded, failed }) => sum + succeeded + failed,
        0,
      );
      if (counted < sure || counted > most)
        this.#break(`case 59: health counts ${counted} attempts, not ${sure} to ${most}`);
    }
  }

  /** Each attempt once; of the dead, at most once. */
  #checkRows(calls: readonly Call[], rows: readonly AttemptRow[]): void {
    const found = Map.groupBy(rows, ({ correlation_id }) => correlation_id);
    for (const [index, call] of this.#calls.entries()) {
      if (!calls.includes(call)) continue;
      const name = `${this.#name}c${index + 1}`;
      const listed = (found.get(name) ?? [])
        .map(({ attempt_number, outcome }) => `${attempt_number} ${outcome}`)
        .toSorted();
      if (call.instance.isDead) {
        if (new Set(listed).size < listed.length || listed.length > call.dispatched)
          this.#break(`case 59: of the dead, ${name} is listed as ${listed.join(', ')}`);
        continue;
      }
      const made = (call.result?.attempts ?? [])
        .map(({ attemptNumber, outcome }) => `${attemptNumber} ${outcome}`)
        .toSorted();
      if (listed.join() !== made.join())
        this.#break(`case 59: ${name} made [${made.join()}] and is listed as [${listed.join()}]`);
    }
  }

  async #untilSettled(calls: readonly Call[]): Promise<void> {
    const { pass, tempo, clock } = this.#world;
    const untilMs = clock.nowMs() + 40 * BUDGET_MS * tempo;
    for (;;) {
      await this.#rest();
      const running = calls.filter(isRunning);
      if (running.length === 0) return;
      if (clock.nowMs() > untilMs) {
        this.#break(`case 30: ${running.length} calls never end`);
        return;
      }
      await pass(500 * tempo);
    }
  }

  /** Until the store has answered everything, and nothing follows from that. */
  async #rest(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet++) {
      await nextTurn();
      while (this.#isBusy()) {
        await this.#answered.promise;
        quiet = 0;
      }
    }
  }

  /** Whoever waits for an answer looks again. */
  #goOn(): void {
    this.#answered.resolve();
    this.#answered = Promise.withResolvers();
  }

  #isBusy(): boolean {
    return this.#living.some(({ underWay }) => underWay > 0);
  }

  #break(what: string): void {
    this.broken.push(what);
  }
}

const nextTurn = () => new Promise<void>((done) => setImmediate(done));

const isRunning = ({ instance, result }: Call): boolean => !instance.isDead && result === null;

/** An attempt that its caller gave up is listed, and says nothing of the provider's health. */
const isCounted = ({ outcome, reasonCode }: { outcome: string; reasonCode: string | null }) =>
  outcome === 'success' || reasonCode !== null;

/** Of an ISO time, what names its window. */
const WINDOW_DIGITS: Record<QuotaWindow, number> = { minute: 16, hour: 13, day: 10, month: 7 };

async function rowsFor(store: Store, tenantId: string): Promise<AttemptRow[]> {
  const { docs } = await store.query({
    collection: executionMetrics,
    where: [{ field: 'tenant_id', op: '==', value: tenantId }],
    limit: 1_000,
  });
  return docs.flatMap(rowsOf);
}

function settingsOf(rules: Rules, provider: string, { tempo, window }: World): ExecutionSettings {
  const s = (ms: number) => (ms * tempo) / 1_000;
  return settingsWith({
    retry: {
      max_attempts: rules.maxAttempts,
      base_delay_s: s(250),
      max_delay_s: s(5_000),
      in_process_wait_s: s(2_000),
      jitter_ratio: 0.1,
    },
    breaker: {
      scope: rules.scope,
      failure_threshold: rules.failureThreshold,
      open_cooldown_s: s(10_000),
      max_cooldown_s: s(30_000),
      half_open_max_calls: rules.halfOpenMaxCalls,
      success_threshold: rules.successThreshold,
    },
    timeout_budget_s: s(BUDGET_MS),
    quotas:
      rules.limit === null
        ? []
        : [
            {
              provider,
              capability: CAPABILITY,
              limits: {
                [window]: rules.limit,
                time_zone: 'UTC',
                outage: 'refuse',
                outage_allowance: 0,
              },
            },
          ],
    telemetry: { snapshot_s: s(SNAPSHOT_MS), global_snapshot_s: s(3 * SNAPSHOT_MS) },
  });
}

class Provider extends ProviderBase {
  readonly providerName: string;
  readonly capability = CAPABILITY;
  readonly #serve: (call: ProviderCall<unknown>) => Promise<unknown>;

  constructor(
    execution: Execution,
    name: string,
    serve: (call: ProviderCall<unknown>) => Promise<unknown>,
  ) {
    super(execution);
    this.providerName = name;
    this.#serve = serve;
  }

  protected executeImpl(call: ProviderCall<unknown>): Promise<unknown> {
    return this.#serve(call);
  }
}

/** What one transaction, which may run several times, does to the probes of a breaker. */
class ClaimWatch {
  readonly #ids = new Set<string>();
  #found: ProviderHealthState | null = null;
  #written: ProviderHealthState | null = null;

  see(before: ProviderHealthState | null | undefined, writes: readonly Write[]): void {
    const write = writes.find(({ ref: of }) => of.collection.path === healthStates.path);
    this.#written = write && write.kind !== 'remove' ? (write.doc as ProviderHealthState) : null;
    this.#found = this.#written ?? before ?? null;
    for (const id of Object.keys(this.#written?.breaker.probes ?? {}))
      if (!(id in (before?.breaker.probes ?? {}))) this.#ids.add(id);
  }

  /** The slots that this transaction took and the document still has. */
  slots(): Slot[] {
    const found = this.#found;
    if (!found) return [];
    const { probes, epoch } = found.breaker;
    return Object.keys(probes).flatMap((id) =>
      this.#ids.has(id) ? [{ path: found.id, epoch }] : [],
    );
  }

  written(): ProviderHealthState | null {
    return this.#written;
  }
}
