import type { Ref } from '../store/collection.ts';
import { set } from '../store/decision.ts';
import type { ExecutionKey } from './key.ts';
import type { QuotaPolicy } from './policy.ts';
import type { ExecutionClock, ExecutionStore } from './ports.ts';
import {
  type Lease,
  type QuotaRefusal,
  type QuotaState,
  isSparse,
  lease,
  leave,
  quotaRef,
  renewalPeriodMs,
} from './quota.ts';
import { type QuotaSpans, windowsAt } from './quota-window.ts';

/** Times an answer may come to nothing, because clocks disagree or it took too long, before giving up. */
const ROUNDS_MAX = 4;
/** Waits between looks at a quota that is leased out: 1, 2, 4 … 15 s, give or take a fifth. */
const LOOK_MS = 1_000;
const LOOK_MS_MAX = 15_000;
const LOOK_JITTER = 0.2;
/** A store that failed is asked again after one to two of these. */
const OUTAGE_MS = 1_000;
/** A block is to last no longer than its holder has lived, or this. */
const YOUNG_MS = 30_000;
/** Over so long a time, holders that were refused come back after a rollover: about a commit for each. */
const HERD_MS_PER_HOLDER = 30;
const HERD_MS_MAX = 5_000;
/** A clock that goes back further than callers may be late with their reading was set. */
const CLOCK_STEP_MS = 1_000;
/** Share of a block that is left when the next one is fetched. */
const LOW_WATER = 0.25;
/** The generation of units that no lease covers, which an outage policy lets pass. */
const UNLEASED = Number.MAX_SAFE_INTEGER;

export interface QuotaPorts {
  readonly store: Pick<ExecutionStore, 'revise'>;
  readonly clock: Pick<ExecutionClock, 'nowMs'>;
  /** 0 to 1. */
  readonly random: () => number;
  /** Different each time, over all instances. */
  readonly newHolderId: () => string;
  readonly onOutage?: (error: unknown) => void;
}

/** `unavailable`: the store could not be asked. */
export type QuotaAnswer =
  | { readonly granted: true; readonly generation: number }
  | {
      readonly granted: false;
      readonly retryAtMs: number;
      readonly reason: 'exhausted' | 'unavailable';
    };

/**
 * One instance's hold on the quota of one key: units leased in blocks and handed out from memory. Times
 * given and answered are those of the instance's own clock, which may be wrong by any amount: windows
 * begin and end by the store's, and a lease is over here no later than there.
 *
 * @throws {RangeError} from the constructor alone, for a time zone that does not exist
 */
export class QuotaHolder {
  readonly #key: ExecutionKey;
  readonly #policy: QuotaPolicy;
  readonly #ports: QuotaPorts;
  readonly #demand: Demand;

  /** Null until the first request, and after `close`. */
  #id: string | null = null;
  #seq = 1;
  /** The last request may have been applied or not. */
  #isUnanswered = false;
  /** The document asked last, which has this holder's lease if any has. */
  #document: Ref<QuotaState> | null = null;
  #generation = 1;
  #left = 0;
  /** Units of this generation that may still come back. */
  #taken = 0;
  /** Units not reported yet, of an ended generation too; less those that came back after a report. */
  #spent = 0;
  #granted = 0;
  /** Nothing is taken from this time on. */
  #untilMs = -Infinity;

  #holders = 1;
  #peers = 1;
  #spans: QuotaSpans;
  /** What the store's clock is ahead of this one: a guess, good enough to name documents by. */
  #offsetMs = 0;
  #latestMs = -Infinity;

  #flight: Promise<void> | null = null;
  #waiting = 0;
  /** Leases in a row that were over when they arrived. */
  #late = 0;
  #blockedUntilMs = -Infinity;
  #looks = 0;
  #outageUntilMs = -Infinity;
  #allowance = { windowStartMs: -Infinity, used: 0 };

  constructor(key: ExecutionKey, policy: QuotaPolicy, ports: QuotaPorts) {
    this.#key = key;
    this.#policy = policy;
    this.#ports = ports;
    const nowMs = ports.clock.nowMs();
    this.#spans = windowsAt(policy, nowMs);
    this.#demand = new Demand(nowMs);
  }

  /** A unit from memory: its generation, from 1; 0 when there is none, and `take` is to be asked. */
  takeNow(nowMs: number): number {
    const generation = this.#unit(nowMs);
    if (generation > 0) this.#demand.units++;
    return generation;
  }

  /** A refusal that is known without asking, else null. */
  refusalNow(nowMs: number): QuotaAnswer | null {
    this.#notice(nowMs);
    if (this.#left > 0 && nowMs < this.#untilMs) return null;
    if (nowMs < this.#blockedUntilMs)
      return { granted: false, retryAtMs: this.#blockedUntilMs, reason: 'exhausted' };
    if (nowMs < this.#outageUntilMs && !this.#mayServe(nowMs))
      return { granted: false, retryAtMs: this.#outageUntilMs, reason: 'unavailable' };
    return null;
  }

  /** One unit, leased if need be. Callers that wait at the same time share one request. */
  async take(nowMs: number): Promise<QuotaAnswer> {
    this.#demand.units++;
    for (let atMs = nowMs; ; atMs = this.#ports.clock.nowMs()) {
      const answer = this.#answerNow(atMs);
      if (answer) return answer;
      this.#waiting++;
      try {
        await this.#renew();
      } finally {
        this.#waiting--;
      }
    }
  }

  /**
   * Gives a unit back that was not used. Has no effect for a generation that is over: its units were
   * charged, or are no use in another window.
   */
  giveBack(generation: number): void {
    if (generation === UNLEASED) {
      this.#allowance.used = Math.max(0, this.#allowance.used - 1);
      return;
    }
    if (generation !== this.#generation || this.#taken === 0) return;
    this.#taken--;
    this.#spent--;
    this.#left++;
  }

  /** Fetches the next block while the last runs low; to be awaited before the instance may freeze. */
  prefetch(nowMs: number): Promise<void> | null {
    const isLow = this.#granted > 1 && this.#left <= this.#granted * LOW_WATER;
    if (!isLow || this.#flight || nowMs >= this.#untilMs) return null;
    if (nowMs < this.#blockedUntilMs || nowMs < this.#outageUntilMs) return null;
    return this.#renew();
  }

  /** Reports what was spent and gives the rest back. The holder may be used again afterwards. */
  async close(): Promise<void> {
    // A report that overtakes an unanswered one would charge the same units twice.
    while (this.#flight) await this.#flight;
    const [id, document] = [this.#id, this.#document];
    const [seq, spent] = [this.#seq, this.#spent];
    const isDone = this.#left === 0 && spent === 0 && !this.#isUnanswered;
    this.#end();
    this.#id = this.#document = null;
    this.#seq = 1;
    this.#spent = 0;
    this.#isUnanswered = false;
    if (id === null || document === null || isDone) return;
    try {
      await this.#ports.store.revise({ quota: document }, ({ quota }, readAt) => {
        const { row, changed } = leave(quota, { id, seq, spent }, readAt.getTime());
        return { writes: changed && row ? [set(document, row)] : [], reply: null };
      });
    } catch (error) {
      this.#report(error);
    }
  }

  /** Whether it holds and knows nothing that a new holder would not: it may be forgotten. */
  get isIdle(): boolean {
    const nowMs = this.#ports.clock.nowMs();
    return (
      !this.#flight &&
      this.#waiting === 0 &&
      nowMs >= Math.max(this.#untilMs, this.#blockedUntilMs, this.#outageUntilMs)
    );
  }

  #unit(nowMs: number): number {
    this.#notice(nowMs);
    if (this.#left <= 0 || nowMs >= this.#untilMs) return 0;
    this.#left--;
    this.#spent++;
    this.#taken++;
    return this.#generation;
  }

  #answerNow(nowMs: number): QuotaAnswer | null {
    const generation = this.#unit(nowMs);
    if (generation > 0) return { granted: true, generation };
    const refusal = this.refusalNow(nowMs);
    if (refusal || nowMs >= this.#outageUntilMs) return refusal;
    this.#allowance.used++;
    return { granted: true, generation: UNLEASED };
  }

  #renew(): Promise<void> {
    this.#flight ??= this.#ask().finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  async #ask(): Promise<void> {
    // Whoever calls in the same moment is to be asked for as well.
    await Promise.resolve();
    try {
      for (let round = 0; round < ROUNDS_MAX && this.#late < ROUNDS_MAX; round++)
        if (await this.#lease()) return;
      throw new Error('no lease of a quota arrived in its time: clocks or the store are unsteady');
    } catch (error) {
      const { clock, random } = this.#ports;
      this.#late = 0;
      this.#outageUntilMs = clock.nowMs() + OUTAGE_MS * (1 + random());
      this.#report(error);
    }
  }

  /** False when the request was made for another time than the store's, which is known now. */
  async #lease(): Promise<boolean> {
    const { store, clock, newHolderId } = this.#ports;
    let sentMs = clock.nowMs();
    let heardMs = sentMs;
    let readMs = 0;
    this.#notice(sentMs);
    if (sentMs >= this.#untilMs) this.#end();
    const spans = this.#spansAt(sentMs);
    const document = (this.#document = quotaRef(this.#key, spans[0]));
    const request = {
      key: this.#key,
      policy: this.#policy,
      documentStartMs: spans[0].startMs,
      holder: {
        id: (this.#id ??= newHolderId()),
        seq: this.#seq,
        spent: this.#spent,
        sealed: this.#untilMs === -Infinity,
        ...this.#wanted(sentMs),
        waiting: this.#waiting,
        peers: this.#peers,
      },
    };
    this.#isUnanswered = true;
    const answer = await store.revise({ quota: document }, ({ quota }, readAt) => {
      // A rerun has read again, and not before the run that it follows.
      [sentMs, heardMs] = [heardMs, clock.nowMs()];
      readMs = readAt.getTime();
      const reply = lease(quota, request, readMs);
      const writes = reply.kind === 'lease' && reply.changed ? [set(document, reply.row)] : [];
      return { writes, reply };
    });
    this.#isUnanswered = false;
    this.#offsetMs = readMs - Math.round((sentMs + heardMs) / 2);
    this.#outageUntilMs = -Infinity;
    if (answer.kind === 'untimely') {
      this.#end();
      return false;
    }
    this.#seq++;
    this.#hold(answer, sentMs - readMs);
    if (answer.refused) this.#block(answer.refused, heardMs - readMs);
    return true;
  }

  /** @param aheadMs what this clock is ahead of the store's at least */
  #hold(answer: Lease, aheadMs: number): void {
    // What was taken, or came back, since the request was sent is for the next report.
    this.#spent -= answer.settled;
    this.#left = Math.max(0, answer.outstanding - this.#spent);
    this.#untilMs = Math.min(answer.windowEndMs, answer.expiresAtMs) + aheadMs;
    this.#holders = answer.holders;
    this.#peers = answer.peers;
    if (answer.granted === 0) return;
    this.#granted = answer.granted;
    this.#blockedUntilMs = -Infinity;
    this.#looks = 0;
    this.#late = this.#ports.clock.nowMs() < this.#untilMs ? 0 : this.#late + 1;
  }

  /** @param aheadMs what this clock is ahead of the store's at most */
  #block({ untilMs, mayEase }: QuotaRefusal, aheadMs: number): void {
    const { clock, random } = this.#ports;
    const herdMs = Math.min(this.#holders * HERD_MS_PER_HOLDER, HERD_MS_MAX);
    const endMs = untilMs + aheadMs + random() * herdMs;
    const lookMs = Math.min(LOOK_MS * 2 ** this.#looks++, LOOK_MS_MAX);
    const jitter = 1 + LOOK_JITTER * (2 * random() - 1);
    this.#blockedUntilMs = mayEase ? Math.min(clock.nowMs() + lookMs * jitter, endMs) : endMs;
  }

  /** Nothing more is taken from the lease, and nothing comes back to it. */
  #end(): void {
    if (this.#untilMs === -Infinity) return;
    this.#untilMs = -Infinity;
    this.#left = 0;
    this.#taken = 0;
    this.#generation++;
  }

  #notice(nowMs: number): void {
    if (nowMs >= this.#latestMs) this.#latestMs = nowMs;
    else if (nowMs < this.#latestMs - CLOCK_STEP_MS) {
      // The clock was set back, and what was reckoned by it holds no longer.
      this.#end();
      this.#latestMs = nowMs;
      this.#blockedUntilMs = -Infinity;
      this.#outageUntilMs = -Infinity;
    }
  }

  /** Enough until the next renewal is due, but not much more than the window has time for. */
  #wanted(nowMs: number): { want: number; periodMs: number } {
    const { perS, longPerS, ageMs } = this.#demand.read(nowMs);
    // Many instances that die young would strand more than they use.
    const periodMs = Math.min(renewalPeriodMs(this.#holders), Math.max(YOUNG_MS, ageMs));
    const needed = Math.max(1, this.#waiting);
    if (isSparse(longPerS * this.#holders)) return { want: needed, periodMs };
    const spans = this.#spansAt(nowMs);
    const windowMs = (spans.at(-1) ?? spans[0]).endMs - (nowMs + this.#offsetMs);
    // Half as much again: as the block runs low, the next one would be fetched just before the end.
    const coveredMs = Math.min(periodMs, windowMs * 1.5 + 1_000);
    return { want: Math.max(needed, Math.round((perS * coveredMs) / 1_000)), periodMs };
  }

  /** The windows at this time of this clock, as far as is known. */
  #spansAt(nowMs: number): QuotaSpans {
    const storeMs = nowMs + this.#offsetMs;
    const { startMs, endMs } = this.#spans.at(-1) ?? this.#spans[0];
    if (storeMs < startMs || storeMs >= endMs) this.#spans = windowsAt(this.#policy, storeMs);
    return this.#spans;
  }

  #mayServe(nowMs: number): boolean {
    const { outage, outage_allowance } = this.#policy;
    if (outage !== 'allowance') return outage === 'serve';
    const spans = this.#spansAt(nowMs);
    const { startMs } = spans.at(-1) ?? spans[0];
    if (startMs !== this.#allowance.windowStartMs)
      this.#allowance = { windowStartMs: startMs, used: 0 };
    const allowed = Math.min(outage_allowance, ...spans.map(({ limit }) => limit));
    return this.#allowance.used < allowed;
  }

  #report(error: unknown): void {
    try {
      this.#ports.onOutage?.(error);
    } catch {
      // A listener's fault is not the caller's.
    }
  }
}

const MEMORY_S = 20;
/** Of a shorter time nothing is concluded. */
const AGE_S_MIN = 5;

/** How fast units are asked for, over about the last 20 s. */
class Demand {
  /** Since the last reading. */
  units = 0;
  readonly #sinceMs: number;
  #readMs: number;
  #sum = 0;

  constructor(nowMs: number) {
    this.#sinceMs = this.#readMs = nowMs;
  }

  /** `longPerS` takes a new holder for one that was idle before: a burst of a moment is no rate yet. */
  read(nowMs: number): { perS: number; longPerS: number; ageMs: number } {
    const passedS = Math.max(0, nowMs - this.#readMs) / 1_000;
    const fade = Math.exp(-passedS / MEMORY_S);
    // What came since the last reading is taken to have come evenly.
    const weight = passedS > 0 ? ((1 - fade) * MEMORY_S) / passedS : 1;
    this.#sum = this.#sum * fade + this.units * weight;
    this.units = 0;
    this.#readMs = nowMs;
    const ageMs = nowMs - this.#sinceMs;
    const ageS = Math.max(AGE_S_MIN, ageMs / 1_000);
    return {
      ageMs,
      perS: this.#sum / (MEMORY_S * (1 - Math.exp(-ageS / MEMORY_S))),
      longPerS: this.#sum / MEMORY_S,
    };
  }
}
