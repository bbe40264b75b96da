/*
 * Instances that share one quota, on simulated time: real holders and the real ledger, over a store in
 * memory that takes as long as Firestore and fails like it.
 */
import { seeded } from '../../../local/kernel/seeded.ts';
import type { ExecutionKey } from '../../../shared/execution/key.ts';
import type { QuotaPolicy } from '../../../shared/execution/policy.ts';
import type { ExecutionStore } from '../../../shared/execution/ports.ts';
import { QuotaHolder } from '../../../shared/execution/quota-holder.ts';
import { type QuotaSpans, windowsAt } from '../../../shared/execution/quota-window.ts';
import { QuotaState } from '../../../shared/execution/quota.ts';
import type { Ref } from '../../../shared/store/collection.ts';

export interface Scenario {
  readonly policy: QuotaPolicy;
  readonly durationS: number;
  /** Over all instances. */
  readonly callsPerS: number;
  readonly instances: number;
  /** An instance lives for half to one and a half times this, and is replaced. */
  readonly lifeS: number;
  /** Of the instances, how many end without giving their lease back. */
  readonly crashes: number;
  readonly seed: number;
  readonly startMs?: number;
  /** Of the commits, those that are applied, reported as failed and tried again by the client. */
  readonly lostAcknowledgements?: number;
  /** Those that are applied and never heard of. */
  readonly unknownOutcomes?: number;
  /** Those that fail. */
  readonly failures?: number;
  /** Of the units, those that are given back, up to a second later. */
  readonly givenBack?: number;
  /** Clocks of instances are wrong by up to this, either way. */
  readonly skewMs?: number;
}

export interface Figures {
  readonly calls: number;
  readonly served: number;
  readonly readsPerCall: number;
  readonly writesPerCall: number;
  readonly writesPerS: number;
  readonly peakWritesPerS: number;
  /** Units used beyond a limit, in any window. */
  readonly overshoot: number;
  /** Writes after which the document did not add up. */
  readonly violations: number;
  /** Of what the limits left to use. */
  readonly utilisation: number;
  /** Units charged in the longest windows, for each that was used. */
  readonly chargedPerUnit: number;
  /** The most holders that a document had at once. */
  readonly holders: number;
  /** Of the calls, those refused while less than 97 % of each limit was used. */
  readonly earlyRefusals: number;
  readonly waited: number;
  readonly waitMs: number;
}

const ONE_WAY_MS = 15;
const COMMIT_MS = 30;
const RETRY_MS = 1_000;
const EARLY = 0.97;

export const key: ExecutionKey = {
  tenantId: 'acme',
  providerName: 'synthetic',
  capability: 'synthetic_call',
};

export async function simulate(scenario: Scenario): Promise<Figures> {
  const run = new Run(scenario);
  return run.figures();
}

interface Event {
  readonly atMs: number;
  readonly happen: () => void;
}

interface Place {
  doc: QuotaState | null;
  lockedUntilMs: number;
}

interface Instance {
  readonly holder: QuotaHolder;
  readonly skewMs: number;
  isAlive: boolean;
}

interface Used {
  readonly limit: number;
  readonly isWhole: boolean;
  calls: number;
  units: number;
}

class Run {
  readonly #scenario: Scenario;
  readonly #random: () => number;
  readonly #events = new EventQueue();
  readonly #places = new Map<string, Place>();
  readonly #instances: Instance[];
  readonly #used = new Map<string, Used>();
  readonly #writesBySecond = new Map<number, number>();
  readonly #startMs: number;
  readonly #endMs: number;
  #nowMs: number;
  #spans: QuotaSpans;
  #isUnsettled = false;
  #holders = 0;
  #calls = 0;
  #served = 0;
  #reads = 0;
  #writes = 0;
  #mostHolders = 0;
  #overshoot = 0;
  #violations = 0;
  #earlyRefusals = 0;
  #waited = 0;
  #waitedMs = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = seeded(scenario.seed);
    this.#nowMs = this.#startMs = scenario.startMs ?? Date.UTC(2026, 0, 15);
    this.#endMs = this.#startMs + scenario.durationS * 1_000;
    this.#spans = windowsAt(scenario.policy, this.#nowMs);
    this.#instances = Array.from({ length: scenario.instances }, (_, index) => this.#start(index));
  }

  async figures(): Promise<Figures> {
    this.#arrive();
    for (let event = this.#events.next(); event; event = this.#events.next()) {
      if (event.atMs > this.#endMs) break;
      this.#nowMs = event.atMs;
      event.happen();
      if (this.#isUnsettled) {
        this.#isUnsettled = false;
        await new Promise((done) => setImmediate(done));
      }
    }
    const whole = [...this.#used.values()].filter(({ isWhole }) => isWhole);
    const counted = whole.length > 0 ? whole : [...this.#used.values()];
    const sum = (of: (used: Used) => number) => counted.reduce((all, used) => all + of(used), 0);
    return {
      calls: this.#calls,
      served: this.#served,
      readsPerCall: this.#reads / this.#calls,
      writesPerCall: this.#writes / this.#calls,
      writesPerS: this.#writes / this.#scenario.durationS,
      peakWritesPerS: Math.max(...this.#writesBySecond.values()),
      overshoot: this.#overshoot,
      violations: this.#violations,
      chargedPerUnit: this.#charged() / this.#served,
      holders: this.#mostHolders,
      utilisation: sum(({ units }) => units) / sum(({ limit, calls }) => Math.min(limit, calls)),
      earlyRefusals: this.#earlyRefusals / this.#calls,
      waited: this.#waited / this.#calls,
      waitMs: this.#waitedMs / Math.max(1, this.#waited),
    };
  }

  #charged(): number {
    return [...this.#places.values()].reduce((sum, { doc }) => sum + (doc?.used_count ?? 0), 0);
  }

  #after(ms: number, happen: () => void): void {
    this.#events.add({ atMs: this.#nowMs + ms, happen });
  }

  /** Exponential, so that arrivals are independent of each other. */
  #untilNextMs(perS: number): number {
    return (-1_000 * Math.log(1 - this.#random())) / perS;
  }

  #start(index: number): Instance {
    const { policy, lifeS, crashes, skewMs: skewMsMax = 0 } = this.#scenario;
    const skewMs = (2 * this.#random() - 1) * skewMsMax;
    const holder = new QuotaHolder(key, policy, {
      store: { revise: (refs, revise) => this.#revise(refs, revise) },
      clock: { nowMs: () => this.#nowMs + skewMs },
      random: this.#random,
      newHolderId: () => `holder_${++this.#holders}`,
    });
    const instance: Instance = { holder, skewMs, isAlive: true };
    this.#after(lifeS * 1_000 * (0.5 + this.#random()), () => {
      instance.isAlive = false;
      this.#instances[index] = this.#start(index);
      if (this.#random() < crashes) return;
      this.#isUnsettled = true;
      void holder.close();
    });
    return instance;
  }

  #arrive(): void {
    this.#after(this.#untilNextMs(this.#scenario.callsPerS), () => {
      this.#arrive();
      const instance = this.#instances[Math.floor(this.#random() * this.#instances.length)];
      if (instance) this.#call(instance);
    });
  }

  #call(instance: Instance): void {
    const { holder, skewMs } = instance;
    const localMs = this.#nowMs + skewMs;
    this.#calls++;
    for (const used of this.#usedNow()) used.calls++;
    const generation = holder.takeNow(localMs);
    if (generation > 0) this.#serve(instance, generation);
    else if (holder.refusalNow(localMs)) this.#refuse();
    else {
      const sinceMs = this.#nowMs;
      this.#isUnsettled = true;
      void holder.take(localMs).then((answer) => {
        if (!instance.isAlive) return;
        this.#waited++;
        this.#waitedMs += this.#nowMs - sinceMs;
        if (answer.granted) this.#serve(instance, answer.generation);
        else this.#refuse();
      });
    }
  }

  #serve(instance: Instance, generation: number): void {
    const { holder, skewMs } = instance;
    if (this.#random() < (this.#scenario.givenBack ?? 0)) {
      this.#after(this.#random() * 1_000, () => {
        if (instance.isAlive) holder.giveBack(generation);
      });
      return;
    }
    this.#served++;
    for (const used of this.#usedNow()) if (++used.units > used.limit) this.#overshoot++;
    if (holder.prefetch(this.#nowMs + skewMs)) this.#isUnsettled = true;
  }

  #refuse(): void {
    if (this.#usedNow().every(({ units, limit }) => units < EARLY * limit)) this.#earlyRefusals++;
  }

  /** By the store's clock, which is the true one. */
  #usedNow(): Used[] {
    const shortest = this.#spans.at(-1);
    if (!shortest || this.#nowMs >= shortest.endMs)
      this.#spans = windowsAt(this.#scenario.policy, this.#nowMs);
    return this.#spans.map(({ window, startMs, endMs, limit }) => {
      const name = `${window} ${startMs}`;
      let used = this.#used.get(name);
      if (!used) {
        const isWhole = startMs >= this.#startMs && endMs <= this.#endMs;
        this.#used.set(name, (used = { limit, isWhole, calls: 0, units: 0 }));
      }
      return used;
    });
  }

  #placeOf(of: Ref<unknown>): Place {
    let place = this.#places.get(of.path);
    if (!place) this.#places.set(of.path, (place = { doc: null, lockedUntilMs: 0 }));
    return place;
  }

  /** One transaction after another; the document stays locked from the read to the commit. */
  readonly #revise: ExecutionStore['revise'] = (refs, revise) => {
    type Reply = ReturnType<typeof revise>['reply'];
    const [[name, of] = ['', undefined]] = Object.entries(refs);
    if (!of) throw new Error('a revision needs a document');
    const place = this.#placeOf(of);
    const { lostAcknowledgements = 0, unknownOutcomes = 0, failures = 0 } = this.#scenario;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const settle = (how: () => void) =>
      this.#after(ONE_WAY_MS, () => {
        this.#isUnsettled = true;
        how();
      });
    const attempt = () => {
      const readMs = Math.max(this.#nowMs, place.lockedUntilMs);
      place.lockedUntilMs = readMs + COMMIT_MS;
      this.#reads++;
      this.#events.add({
        atMs: readMs + ONE_WAY_MS,
        happen: () => {
          const { writes, reply } = revise({ [name]: place.doc } as never, new Date(readMs));
          this.#after(COMMIT_MS - ONE_WAY_MS, () => {
            const chance = this.#random();
            if (chance < failures) return settle(() => reject(new Error('unavailable')));
            for (const write of writes) if (write.kind === 'set') this.#put(place, write.doc);
            const isLost = writes.length > 0 && chance < failures + lostAcknowledgements;
            if (isLost) return this.#after(RETRY_MS, attempt);
            if (chance < failures + lostAcknowledgements + unknownOutcomes)
              return settle(() => reject(new Error('deadline exceeded')));
            return settle(() => resolve(reply));
          });
        },
      });
    };
    this.#after(ONE_WAY_MS, attempt);
    return promise;
  };

  #put(place: Place, doc: unknown): void {
    // Parsing is what takes the time; a sample will do.
    const state = this.#writes++ % 16 === 0 ? QuotaState.parse(doc) : (doc as QuotaState);
    place.doc = state;
    this.#mostHolders = Math.max(this.#mostHolders, Object.keys(state.holders).length);
    const second = Math.floor(this.#nowMs / 1_000);
    this.#writesBySecond.set(second, (this.#writesBySecond.get(second) ?? 0) + 1);
    if (!addsUp(state)) this.#violations++;
  }
}

/** Whether, in every window, what is used and what is leased are within the limit together. */
export const addsUp = ({ windows, holders }: QuotaState): boolean =>
  windows.every(({ window_start, limit_count, used_count, remaining_count }) => {
    const leased = Object.values(holders)
      .filter(({ usable_until }) => usable_until > window_start)
      .reduce((sum, { outstanding }) => sum + outstanding, 0);
    return used_count + leased <= limit_count && used_count + remaining_count === limit_count;
  });

/** A binary heap by time. */
class EventQueue {
  readonly #heap: Event[] = [];

  add(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (above.atMs <= event.atMs) break;
      heap[at] = above;
      heap[parent] = event;
      at = parent;
    }
  }

  next(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (!left) return first;
      if (right && right.atMs < left.atMs) child++;
      const below = heap[child] as Event;
      if (below.atMs >= last.atMs) return first;
      heap[at] = below;
      heap[child] = last;
      at = child;
    }
  }
}

const perHour = (limit: number): QuotaPolicy => ({ ...utc, hour: limit });
const utc = { time_zone: 'UTC', outage: 'refuse', outage_allowance: 10 } as const;
const usual = { crashes: 0.2, lostAcknowledgements: 0.005, seed: 1 } as const;

/** The cases that the design was measured by. */
export const scenarios = {
  'A steady: 10/s, 10 instances, 100,000 an hour': {
    ...usual,
    policy: perHour(100_000),
    callsPerS: 10,
    instances: 10,
    lifeS: 600,
    durationS: 3_600,
  },
  'B hot: 200/s, 40 instances, 1,000,000 an hour': {
    ...usual,
    policy: perHour(1_000_000),
    callsPerS: 200,
    instances: 40,
    lifeS: 600,
    durationS: 3_600,
  },
  'C tight: 20/s, 20 instances, 600 a minute': {
    ...usual,
    policy: { ...utc, minute: 600 },
    callsPerS: 20,
    instances: 20,
    lifeS: 300,
    durationS: 1_800,
  },
  'D sparse: 0.2/s, 3 instances of a minute, 1,000 a day': {
    ...usual,
    policy: { ...utc, day: 1_000 },
    callsPerS: 0.2,
    instances: 3,
    lifeS: 60,
    durationS: 7_200,
  },
  'E over: 5/s, 10 instances, 10,000 a day': {
    ...usual,
    policy: { ...utc, day: 10_000 },
    callsPerS: 5,
    instances: 10,
    lifeS: 300,
    durationS: 3_600,
  },
  'F churn: 5/s, 10 instances of 30 s that all crash, 100,000 an hour': {
    ...usual,
    policy: perHour(100_000),
    callsPerS: 5,
    instances: 10,
    lifeS: 30,
    crashes: 1,
    durationS: 3_600,
  },
} as const satisfies Record<string, Scenario>;
