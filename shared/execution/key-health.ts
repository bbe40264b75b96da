import type { Ref } from '../store/collection.ts';
import { idOf, ref } from '../store/collection.ts';
import { type Write, set } from '../store/decision.ts';
import {
  type Admission,
  type Breaker,
  CLOSED,
  type Permit,
  admit,
  clamped,
  claimProbe,
  newer,
  pause,
  settle,
  transitionOf,
} from './breaker.ts';
import type { BreakerHome } from './call.ts';
import {
  type HealthFlush,
  SLOT_MS,
  type ProviderHealthState,
  breakerOf,
  foldFlush,
  healthStates,
  instancesOf,
  newHealthState,
  slotStartMs,
  withBreaker,
} from './health.ts';
import { Latencies } from './histogram.ts';
import { type ExecutionKey, keyId } from './key.ts';
import { type NewAttempt, executionMetrics, packOf, packable, singleOf } from './metrics.ts';
import type { BreakerPolicy, ExecutionSettings } from './policy.ts';
import type { ExecutionClock, ExecutionStore } from './ports.ts';
import type { ReasonCode, Verdict } from './reasons.ts';

/** What happens to a breaker or to the layer itself; for logs and alerts. */
export type ExecutionEvent =
  | {
      readonly kind: 'breaker_changed';
      readonly key: ExecutionKey;
      readonly from: Breaker['state'];
      readonly to: Breaker['state'];
      readonly epoch: number;
    }
  | { readonly kind: 'store_unavailable'; readonly key: ExecutionKey; readonly error: unknown }
  | { readonly kind: 'attempts_dropped'; readonly key: ExecutionKey; readonly count: number };

/** What the instances of one executor share. */
export interface HealthPorts {
  readonly store: ExecutionStore;
  readonly clock: ExecutionClock;
  readonly random: () => number;
  readonly instanceId: string;
  readonly telemetry: ExecutionSettings['telemetry'];
  /** The store's clock minus ours, as last seen. */
  readonly offset: { ms: number };
  readonly emit: (event: ExecutionEvent) => void;
  /** Grows with each call, over all keys of the instance: what it names is never named again. */
  readonly nextNumber: () => number;
}

/** One attempt, until it is written. */
export interface Sample {
  row(): NewAttempt;
  /** Its row's name, made once: however often it is written, it is one row. */
  rowName(make: () => string): string;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly outcome: 'success' | 'retry' | 'failed' | 'dead_letter';
  readonly reasonCode: ReasonCode | null;
}

type BreakerOp =
  | {
      readonly kind: 'settle';
      readonly permit: Permit;
      readonly verdict: Verdict;
      readonly tenantId: string;
    }
  | { readonly kind: 'pause'; readonly untilMs: number };

interface Slot {
  succeeded: number;
  failed: number;
  readonly latencies: Latencies;
  readonly startMs: number;
}

interface Refused {
  readonly reason: 'circuit_open' | 'rate_limited';
  /** By this instance's clock. */
  readonly retryAt: Date;
}

/** What is not written yet. Frozen under a sequence number once it was sent, because it may have arrived. */
interface Batch {
  seq: number;
  ops: BreakerOp[];
  /** Few: one, but where a batch spans the end of a slot or waits for the store. */
  slots: Slot[];
  successes: Sample[];
  failures: Sample[];
  lastError: HealthFlush['lastError'];
  lastSuccess: Sample | null;
  sinceMs: number;
}

const newBatch = (): Batch => ({
  seq: 0,
  ops: [],
  slots: [],
  successes: [],
  failures: [],
  lastError: null,
  lastSuccess: null,
  sinceMs: Number.POSITIVE_INFINITY,
});

/** The slot of the batch that holds `atMs`, most likely its last. */
function slotOf({ slots }: Batch, atMs: number): Slot {
  for (let i = slots.length - 1; i >= 0; i--) {
    const slot = slots[i] as Slot;
    if (atMs >= slot.startMs && atMs < slot.startMs + SLOT_MS) return slot;
  }
  const slot = { succeeded: 0, failed: 0, latencies: new Latencies(), startMs: slotStartMs(atMs) };
  slots.push(slot);
  return slot;
}

const isEmpty = ({ ops, slots, successes, failures }: Batch): boolean =>
  ops.length + slots.length + successes.length + failures.length === 0;

/** A health document takes about one write a second: an instance writes no more often than this. */
const WRITE_INTERVAL_MS = 1_000;
/** The same for each of many instances, so that all together keep to it. */
const WRITE_INTERVAL_PER_INSTANCE_MS = 500;
/** Added to the flush interval for each instance that reports, so that all together keep to it. */
const INTERVAL_PER_INSTANCE_MS = 1_500;
/** Beyond its budget, a probe's slot outlasts the commit of its result. */
const PROBE_GRACE_MS = 5_000;
/** While others probe, their result is looked up this often; and whoever was refused comes again then. */
const HALF_OPEN_SNAPSHOT_MS = 1_000;
const HALF_OPEN_RETRY_MS = 5_000;
/** Knowledge older than this many snapshot intervals is not acted on. */
const STALE_INTERVALS = 3;
/** An exchange takes milliseconds. */
const HANGING_MS = 1_000;
/** Rows of one transaction at most, of each kind. */
const FAILURES_MAX = 200;
/** After a failed exchange: doubling, give or take a fifth. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;
/** Successes that one instance writes together when they come faster than that. */
const BURST_MAX = 500;
/** Attempts of each kind that are kept while the store cannot be reached. */
const BACKLOG_MAX = 1_000;

/**
 * One key's breaker and counts in this instance. The breaker is decided from memory; what others must
 * know (a failure, a transition, counts) goes to the key's health document in one transaction.
 */
export class KeyHealth {
  readonly key: ExecutionKey;
  readonly policy: BreakerPolicy;
  readonly #ports: HealthPorts;
  readonly #snapshotMs: number;
  readonly #ref: Ref<ProviderHealthState>;
  readonly #home: BreakerHome | null;
  /** As the store last had it. */
  #shared: Breaker = CLOSED;
  /** The same, with times of a clock far ahead bounded. */
  #base: Breaker = CLOSED;
  /** With what this instance has to add. */
  #breaker: Breaker = CLOSED;
  /** It went on without the store, whose next word counts whatever its epoch. */
  #isAlone = false;
  #refusal: (Refused & { readonly of: Breaker; readonly untilMs: number }) | null = null;
  #permit: Permit = { epoch: CLOSED.epoch, probeId: null };
  #readAtMs = Number.NEGATIVE_INFINITY;
  #staleAtMs = Number.NEGATIVE_INFINITY;
  #instances = 1;
  #pending = newBatch();
  #frozen: Batch | null = null;
  #claiming = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  /** After a failure the store is left alone until then. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #retries = 0;
  /** Told by every word of the store: a read that began before another word is older than it. */
  #words = 0;
  /** The last success that the store was not told of: it ends a run of failures all the same. */
  #calm: Permit | null = null;
  #syncing: Promise<boolean> | null = null;
  #following: Promise<boolean> | null = null;
  #writing: Promise<void> | null = null;

  constructor(
    key: ExecutionKey,
    policy: BreakerPolicy,
    snapshotMs: number,
    home: BreakerHome | null,
    ports: HealthPorts,
  ) {
    this.key = key;
    this.policy = policy;
    this.#snapshotMs = snapshotMs;
    this.#home = home;
    this.#ports = ports;
    this.#ref = ref(healthStates, keyId(key));
    if (home) this.adopt(home.known);
  }

  /** The permit of a call through the closed breaker. */
  get permit(): Permit {
    if (this.#permit.epoch !== this.#breaker.epoch)
      this.#permit = { epoch: this.#breaker.epoch, probeId: null };
    return this.#permit;
  }

  get state(): Breaker['state'] {
    return this.#breaker.state;
  }

  /** The usual case, in a few comparisons: closed, and known well enough. */
  isReady(nowMs: number): boolean {
    return (
      this.#breaker.state === 'closed' &&
      nowMs < this.#staleAtMs &&
      (this.#breaker.notBeforeMs === null ||
        nowMs + this.#ports.offset.ms >= this.#breaker.notBeforeMs)
    );
  }

  /** A refusal that needs no asking. */
  refusalNow(nowMs: number): Refused | null {
    const { state, forced, notBeforeMs } = this.#breaker;
    if (state === 'closed' && notBeforeMs === null) return null;
    // An operator's release and another's probe end these at any time: they are looked up now and then.
    if ((forced || state === 'half_open') && nowMs >= this.#staleAtMs) return null;
    const last = this.#refusal;
    if (last?.of === this.#breaker && nowMs < last.untilMs) return last;
    const admission = this.admission(nowMs);
    if (admission.kind !== 'refused') return null;
    // One object for all refusals of a cooldown, however many calls come.
    this.#refusal = {
      of: this.#breaker,
      untilMs: state === 'open' && !forced ? admission.retryAtMs : Number.NEGATIVE_INFINITY,
      reason: admission.reason,
      retryAt: new Date(admission.retryAtMs),
    };
    return this.#refusal;
  }

  /** Whether a call may be made now; `retryAtMs` is by this instance's clock. */
  admission(nowMs: number): Admission {
    const { ms: offsetMs } = this.#ports.offset;
    const admission = admit(this.#breaker, nowMs + offsetMs, this.policy);
    if (admission.kind !== 'refused') return admission;
    const retryAtMs = this.#retryAtMs(admission.retryAtMs - offsetMs, nowMs);
    return retryAtMs === admission.retryAtMs ? admission : { ...admission, retryAtMs };
  }

  #retryAtMs(freeAtMs: number, nowMs: number): number {
    return this.#breaker.state === 'half_open'
      ? Math.min(freeAtMs, nowMs + HALF_OPEN_RETRY_MS)
      : freeAtMs;
  }

  /** Whether the breaker must be read before it is acted on. */
  isUnknown(nowMs: number): boolean {
    return nowMs - this.#readAtMs > STALE_INTERVALS * this.#snapshotMs;
  }

  isStale(nowMs: number): boolean {
    return nowMs >= this.#staleAtMs;
  }

  /** The store has not answered for so long that nobody waits for it any more. */
  isHanging(nowMs: number): boolean {
    return this.#syncing !== null && nowMs - this.#askedAtMs >= HANGING_MS;
  }

  /** Goes by what it has for now; the next call looks it up beside its own work. */
  goOn(nowMs: number): void {
    this.#readAtMs = nowMs;
    this.#staleAtMs = nowMs + 1;
  }

  /** The clock was set back: what is left of each time stays. */
  shift(byMs: number): void {
    this.#readAtMs -= byMs;
    this.#staleAtMs -= byMs;
    this.#wroteAtMs -= byMs;
    this.#quietUntilMs -= byMs;
    this.#askedAtMs -= byMs;
    this.#pending.sinceMs -= byMs;
    this.#refusal = null;
  }

  /** A breaker that somebody has just read. */
  adopt(known: Breaker): void {
    this.#known(this.#ports.clock.nowMs());
    this.#accept(this.#isAlone ? known : newer(this.#shared, known));
  }

  /**
   * Takes a probe slot, in a transaction: how many there are holds over all instances. Null with the
   * time when one may be free.
   */
  async claim(
    nowMs: number,
    budgetMs: number,
  ): Promise<{ readonly permit: Permit } | { readonly permit: null; readonly retryAtMs: number }> {
    const { store, instanceId, offset, nextNumber } = this.#ports;
    if (this.#claiming >= this.policy.halfOpenMaxCalls)
      return { permit: null, retryAtMs: nowMs + HALF_OPEN_RETRY_MS };
    this.#claiming++;
    const id = `${instanceId}_${nextNumber()}`;
    const claimAt = (breaker: Breaker, atMs: number) =>
      claimProbe(
        clamped(breaker, atMs, this.policy),
        { id, expiresAtMs: atMs + budgetMs + PROBE_GRACE_MS },
        atMs,
        this.policy,
      );
    try {
      const claimed = await store.revise(this.#refs(), (docs, readAt) => {
        const doc = docs.health ?? newHealthState(this.key, readAt);
        const before = this.#sharedBreaker(docs);
        const claim = claimAt(before, readAt.getTime());
        const writes =
          claim.breaker === before ? [] : this.#writes(docs, doc, before, claim.breaker, readAt);
        return { writes, reply: { ...claim, before, readAt } };
      });
      this.#heard(claimed.readAt, claimed.breaker, nowMs);
      this.#tell(claimed.before, claimed.breaker);
      return this.#claimed(claimed, nowMs);
    } catch (error) {
      this.#ports.emit({ kind: 'store_unavailable', key: this.key, error });
      // Alone, an instance still limits its own probes.
      const claim = claimAt(this.#breaker, nowMs + offset.ms);
      this.#isAlone = true;
      this.#base = claim.breaker;
      this.#breaker = claim.breaker;
      return this.#claimed(claim, nowMs);
    } finally {
      this.#claiming--;
    }
  }

  #claimed(claim: { permit: Permit | null; retryAtMs: number | null }, nowMs: number) {
    return claim.permit
      ? { permit: claim.permit }
      : {
          permit: null,
          retryAtMs: this.#retryAtMs(
            Math.max(nowMs, (claim.retryAtMs ?? nowMs) - this.#ports.offset.ms),
            nowMs,
          ),
        };
  }

  /** Tells the breaker what came of an execution; `due` then shares what others must know. */
  settle(
    permit: Permit,
    verdict: Verdict,
    tenantId: string,
    nowMs: number,
    reasonCode: ReasonCode | null = null,
  ): void {
    if (permit.probeId === null) {
      if (verdict === 'ignored' || permit.epoch !== this.#breaker.epoch) return;
      if (verdict === 'success' && this.#breaker.consecutiveFailures === 0) {
        this.#calm = permit;
        return;
      }
      // Without it the failures of several instances would add up, whatever succeeded between them.
      if (verdict === 'failure' && this.#calm?.epoch === permit.epoch)
        this.#add({ kind: 'settle', permit: this.#calm, verdict: 'success', tenantId }, nowMs);
    }
    this.#calm = permit.probeId === null && verdict === 'success' ? permit : null;
    // A breaker that counts nothing says all the same what opened it.
    if (verdict === 'failure' && reasonCode !== null)
      this.#pending.lastError = { code: reasonCode, atMs: nowMs + this.#ports.offset.ms };
    this.#add({ kind: 'settle', permit, verdict, tenantId }, nowMs);
  }

  /** The provider asked for a pause. */
  pause(untilMs: number, nowMs: number): void {
    this.#add({ kind: 'pause', untilMs: untilMs + this.#ports.offset.ms }, nowMs);
  }

  #add(op: BreakerOp, nowMs: number): void {
    this.#pending.ops.push(op);
    this.#pending.sinceMs = Math.min(this.#pending.sinceMs, nowMs);
    this.#breaker = applied(this.#breaker, op, nowMs + this.#ports.offset.ms, this.policy);
  }

  /** Counts an attempt that reached the provider. */
  record(sample: Sample): void {
    const pending = this.#pending;
    const slot = slotOf(pending, sample.startedAtMs + this.#ports.offset.ms);
    slot.latencies.add(sample.durationMs);
    if (sample.startedAtMs < pending.sinceMs) pending.sinceMs = sample.startedAtMs;
    if (sample.outcome === 'success') {
      slot.succeeded++;
      pending.lastSuccess = sample;
      if (pending.successes.push(sample) > BACKLOG_MAX) this.#drop(pending.successes);
      return;
    }
    slot.failed++;
    if (sample.reasonCode !== null)
      pending.lastError = { code: sample.reasonCode, atMs: this.#endedMs(sample) };
    if (pending.failures.push(sample) > BACKLOG_MAX) this.#drop(pending.failures);
  }

  /** By the store's clock. */
  #endedMs({ startedAtMs, durationMs }: Sample): number {
    return startedAtMs + durationMs + this.#ports.offset.ms;
  }

  /** An attempt that says nothing of the provider, as its caller cancelled it: listed, not counted. */
  list(sample: Sample): void {
    const { failures } = this.#pending;
    this.#pending.sinceMs = Math.min(this.#pending.sinceMs, sample.startedAtMs);
    if (failures.push(sample) > BACKLOG_MAX) this.#drop(failures);
  }

  /** The older half of what waits for the store. */
  #drop(kept: Sample[]): void {
    const count = kept.splice(0, BACKLOG_MAX / 2).length;
    this.#ports.emit({ kind: 'attempts_dropped', key: this.key, count });
  }

  /**
   * What is to be written before a call returns, if anything: what changes the breaker, and failures,
   * at once, though an instance writes the document at most once a second; successes in packs.
   */
  due(nowMs: number): Promise<unknown> | null {
    if (this.#isDue(nowMs)) return this.sync(nowMs);
    return this.#pending.failures.length > 0 &&
      nowMs >= this.#quietUntilMs &&
      !this.isHanging(nowMs)
      ? this.#writeRows()
      : null;
  }

  /** Whether the document is to be written. */
  #isDue(nowMs: number): boolean {
    const { successes, failures, ops, sinceMs } = this.#pending;
    if (ops.length + failures.length + successes.length === 0) return false;
    if (nowMs < this.#quietUntilMs || this.isHanging(nowMs)) return false;
    const mayWrite = nowMs - this.#wroteAtMs >= this.#writeIntervalMs();
    if (ops.length + failures.length > 0)
      return (
        mayWrite ||
        this.#breaker.epoch !== this.#base.epoch ||
        ops.some((op) => op.kind === 'settle' && op.permit.probeId !== null)
      );
    return (
      (successes.length >= this.#ports.telemetry.rows_max &&
        (mayWrite || successes.length >= BURST_MAX)) ||
      nowMs - sinceMs >= this.#flushAfterMs()
    );
  }

  #writeIntervalMs(): number {
    return Math.max(WRITE_INTERVAL_MS, this.#instances * WRITE_INTERVAL_PER_INSTANCE_MS);
  }

  /** Writes all that is pending, unless the store fails. */
  async flush(): Promise<void> {
    do await this.#writing;
    while (this.hasPending && (await this.sync(this.#ports.clock.nowMs())));
  }

  get hasPending(): boolean {
    return this.#frozen !== null || this.#writing !== null || !isEmpty(this.#pending);
  }

  /** When the oldest of what is not written was counted. */
  get pendingSinceMs(): number {
    return Math.min(this.#pending.sinceMs, this.#frozen?.sinceMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether what is pending should have been written by now. */
  isOverdue(nowMs: number): boolean {
    return nowMs - this.pendingSinceMs >= this.#flushAfterMs();
  }

  #flushAfterMs(): number {
    return Math.max(
      this.#ports.telemetry.flush_after_s * 1_000,
      this.#instances * INTERVAL_PER_INSTANCE_MS,
    );
  }

  /** Only the rows of failures, while the document is left alone. */
  #writeRows(): Promise<void> {
    if (this.#writing) return this.#writing;
    const rows = this.#pending.failures.splice(0, FAILURES_MAX);
    this.#writing = this.#ports.store
      .write(this.#failureWrites(rows))
      .catch((error: unknown) => {
        this.#failed(error, this.#ports.clock.nowMs());
        this.#pending.failures.unshift(...rows);
      })
      .finally(() => (this.#writing = null));
    return this.#writing;
  }

  /**
   * One exchange with the store: writes what is pending, or only reads where nothing is. It never
   * rejects: what could not be written is kept, and the breaker goes on alone.
   *
   * @returns whether the store answered
   */
  sync(nowMs: number): Promise<boolean> {
    if (!this.#syncing) return this.#begin(nowMs, false);
    // What came while one is under way goes with the next.
    this.#following ??= this.#syncing.then(() => {
      this.#following = null;
      return this.sync(this.#ports.clock.nowMs());
    });
    return this.#following;
  }

  /** Reads what others know; what is pending goes along only if it is due, or was tried before. */
  lookUp(nowMs: number): Promise<boolean> {
    if (this.#syncing) return this.#syncing;
    return this.#begin(nowMs, this.#frozen === null && !this.#isDue(nowMs));
  }

  #begin(nowMs: number, onlyReads: boolean): Promise<boolean> {
    this.#askedAtMs = nowMs;
    return (this.#syncing = this.#exchange(nowMs, onlyReads).finally(() => (this.#syncing = null)));
  }

  async #exchange(nowMs: number, onlyReads: boolean): Promise<boolean> {
    try {
      if (!onlyReads && (this.#frozen !== null || !isEmpty(this.#pending))) await this.#send(nowMs);
      // Where the breaker travels with another document, its readers bring it.
      else if (!this.#home) await this.#read(nowMs);
      this.#retries = 0;
      this.#quietUntilMs = Number.NEGATIVE_INFINITY;
      return true;
    } catch (error) {
      this.#failed(error, nowMs);
      return false;
    }
  }

  #failed(error: unknown, nowMs: number): void {
    const waitMs = Math.min(RETRY_MS * 2 ** this.#retries++, RETRY_MS_MAX);
    this.#quietUntilMs = nowMs + waitMs * (0.8 + 0.4 * this.#ports.random());
    // Not known, but not asked again for every call either.
    this.#known(nowMs);
    this.#ports.emit({ kind: 'store_unavailable', key: this.key, error });
  }

  async #read(nowMs: number): Promise<void> {
    const words = this.#words;
    const doc = await this.#ports.store.get(this.#ref);
    this.#known(nowMs);
    this.#instances = doc ? instancesOf(doc, new Date(nowMs + this.#ports.offset.ms)) : 1;
    if (words === this.#words) this.#accept(breakerOf(doc));
  }

  async #send(nowMs: number): Promise<void> {
    const batch = (this.#frozen ??= this.#freeze());
    const told = await this.#ports.store.revise(this.#refs(), (docs, readAt) =>
      this.#fold(docs, readAt, batch),
    );
    this.#frozen = null;
    this.#wroteAtMs = nowMs;
    this.#instances = told.instances;
    this.#heard(told.readAt, told.breaker, nowMs);
    this.#tell(told.before, told.breaker);
  }

  #freeze(): Batch {
    const batch = this.#pending;
    batch.seq = this.#ports.nextNumber();
    this.#pending = newBatch();
    // What one transaction cannot hold goes with the next.
    this.#pending.failures = batch.failures.splice(FAILURES_MAX);
    this.#pending.successes = batch.successes.splice(BURST_MAX);
    if (!isEmpty(this.#pending)) this.#pending.sinceMs = batch.sinceMs;
    return batch;
  }

  #fold(docs: HealthDocs, readAt: Date, batch: Batch) {
    const before = this.#sharedBreaker(docs);
    const flush: HealthFlush = {
      instanceId: this.#ports.instanceId,
      seq: batch.seq,
      samples: batch.slots.map(({ startMs, succeeded, failed, latencies }) => ({
        slotStartMs: startMs,
        succeeded,
        failed,
        latencies: latencies.toPacked(),
      })),
      lastError: batch.lastError,
      lastSuccessAtMs: batch.lastSuccess && this.#endedMs(batch.lastSuccess),
    };
    const folded = foldFlush(docs.health ?? newHealthState(this.key, readAt), flush, readAt);
    const reply = { before, readAt, instances: instancesOf(folded.doc, readAt) };
    // It had arrived after all; its acknowledgement had not.
    if (!folded.applied) return { writes: [], reply: { ...reply, breaker: before } };
    const bounded = clamped(before, readAt.getTime(), this.policy);
    const breaker = this.#folded(bounded, batch.ops, readAt.getTime());
    return {
      writes: [
        ...this.#writes(docs, folded.doc, before, breaker, readAt),
        ...this.#packWrites(batch),
        ...this.#failureWrites(batch.failures),
      ],
      reply: { ...reply, breaker },
    };
  }

  #packWrites({ successes, seq }: Batch): Write[] {
    const { rows_max: rowsMax, retention_days: retentionDays } = this.#ports.telemetry;
    const rows = successes.map((sample) => sample.row());
    return packable(rows, rowsMax).map((pack, index) => {
      const id = this.#rowsId(`${seq}p${index}`);
      return set(ref(executionMetrics, id), packOf(pack, { id, retentionDays }));
    });
  }

  #failureWrites(failures: readonly Sample[]): Write[] {
    const { retention_days: retentionDays } = this.#ports.telemetry;
    return failures.map((sample) => {
      const id = sample.rowName(() => this.#rowsId(`${this.#ports.nextNumber()}f`));
      return set(ref(executionMetrics, id), singleOf(sample.row(), { id, retentionDays }));
    });
  }

  /** The same for a repetition; of this key and instance, so that no other makes it. */
  #rowsId(name: string): string {
    return `pem_${idOf(this.#ref).slice('exk_'.length)}_${this.#ports.instanceId}_${name}`;
  }

  #refs() {
    return { health: this.#ref, ...(this.#home && { home: this.#home.ref }) };
  }

  #sharedBreaker({ health, home }: HealthDocs): Breaker {
    return this.#home && home ? this.#home.read(home as never) : breakerOf(health);
  }

  #writes(
    docs: HealthDocs,
    doc: ProviderHealthState,
    before: Breaker,
    breaker: Breaker,
    at: Date,
  ): Write[] {
    if (breaker === before) return [set(this.#ref, doc)];
    const writes: Write[] = [set(this.#ref, withBreaker(doc, breaker, at))];
    if (this.#home && docs.home)
      writes.push(set(this.#home.ref, this.#home.write(docs.home as never, breaker, at)));
    return writes;
  }

  /** What a transaction has read or written: the truth, as of now. */
  #heard(readAt: Date, breaker: Breaker, sentMs: number): void {
    const nowMs = this.#ports.clock.nowMs();
    this.#ports.offset.ms = readAt.getTime() - Math.round((sentMs + nowMs) / 2);
    this.#known(nowMs);
    this.#accept(breaker);
  }

  #known(nowMs: number): void {
    this.#readAtMs = nowMs;
    // Spread, so that instances which started together do not read together.
    this.#staleAtMs = nowMs + this.#snapshotMs * (0.8 + 0.4 * this.#ports.random());
  }

  #accept(shared: Breaker): void {
    this.#words++;
    const nowMs = this.#ports.clock.nowMs();
    const atMs = nowMs + this.#ports.offset.ms;
    // Bounded once: bounded anew from each reading of the same, a time far ahead would never come.
    const isKnown =
      !this.#isAlone &&
      shared.epoch === this.#shared.epoch &&
      shared.openUntilMs === this.#shared.openUntilMs &&
      shared.notBeforeMs === this.#shared.notBeforeMs;
    const { openUntilMs, notBeforeMs } = this.#base;
    this.#base = isKnown
      ? { ...shared, openUntilMs, notBeforeMs }
      : clamped(shared, atMs, this.policy);
    this.#shared = shared;
    this.#isAlone = false;
    this.#breaker = this.#folded(
      this.#base,
      [...(this.#frozen?.ops ?? []), ...this.#pending.ops],
      atMs,
    );
    if (this.#breaker.state === 'half_open')
      this.#staleAtMs = Math.min(this.#staleAtMs, nowMs + HALF_OPEN_SNAPSHOT_MS);
  }

  #folded(from: Breaker, ops: readonly BreakerOp[], atMs: number): Breaker {
    return ops.reduce((breaker, op) => applied(breaker, op, atMs, this.policy), from);
  }

  #tell(before: Breaker, after: Breaker): void {
    const transition = transitionOf(before, after);
    if (transition)
      this.#ports.emit({
        kind: 'breaker_changed',
        key: this.key,
        ...transition,
        epoch: after.epoch,
      });
  }
}

interface HealthDocs {
  readonly health: ProviderHealthState | null;
  readonly home?: unknown;
}

function applied(breaker: Breaker, op: BreakerOp, atMs: number, policy: BreakerPolicy): Breaker {
  return op.kind === 'pause'
    ? pause(breaker, op.untilMs, atMs, policy)
    : settle(breaker, op.permit, op.verdict, { tenantId: op.tenantId }, atMs, policy);
}
