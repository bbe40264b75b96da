import { seeded } from '../../../local/kernel/seeded.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { createExecution } from '../../../shared/execution/executor.ts';
import { healthStates } from '../../../shared/execution/health.ts';
import { executionMetrics } from '../../../shared/execution/metrics.ts';
import type { ExecutionSettings, QuotaWindow } from '../../../shared/execution/policy.ts';
import type { ExecutionClock, ExecutionStore } from '../../../shared/execution/ports.ts';
import { quotaStates } from '../../../shared/execution/quota.ts';
import { ProviderBase } from '../../../shared/execution/provider-base.ts';
import { executionSettings } from '../../../shared/runtime/settings.ts';
import type { Store } from '../../../shared/runtime/services.ts';
import type { Collection, Ref } from '../../../shared/store/collection.ts';
import type { Ground } from './ground.ts';

/*
 * Traffic on simulated time over the embedded Firestore, with the installation's own settings: calls
 * come at random, the provider and the store take as long as real ones, and each read and write is
 * counted, by document and by Firestore's own meter.
 */

export interface Load {
  /** Over all instances, at random times. */
  readonly callsPerS: number;
  readonly instances: number;
  /** An instance lives for half to one and a half times this, is told to end, and is replaced. */
  readonly lifeS?: number;
  readonly durationS: number;
  /** None: a key without quota. */
  readonly limits?: Partial<Record<QuotaWindow, number>>;
  readonly seed: number;
}

/** Of the documents of one kind. */
export interface Cost {
  readonly readsPerCall: number;
  readonly writesPerCall: number;
  /** To the one that took most, while it was written to. */
  readonly writesPerS: number;
  /** To one of them in its worst second. */
  readonly writesPerSMax: number;
}

export interface LoadFigures {
  readonly calls: number;
  readonly served: number;
  /** As the meter has it; what instances do at their end is in it. */
  readonly readsPerCall: number;
  readonly writesPerCall: number;
  readonly quota: Cost;
  readonly health: Cost;
  readonly attempts: Cost;
}

const PROVIDER_MS = 50;
/** One way to the store. */
const STORE_MS = 15;
/** An instance that is told to end takes no more calls, and has this long for those it has. */
const DRAIN_MS = 1_000;
const PROVIDER = 'loaded';
const CAPABILITY = 'load_call';

let loads = 0;

/** Plays it to its end. Settings are those of `configs/execution.yaml`. */
export async function play(ground: Ground, store: Store, load: Load): Promise<LoadFigures> {
  return new Play(ground, store, load).figures();
}

class Provider extends ProviderBase<null, string> {
  readonly providerName = PROVIDER;
  readonly capability = CAPABILITY;
  readonly #answer: () => Promise<string>;

  constructor(execution: Execution, answer: () => Promise<string>) {
    super(execution);
    this.#answer = answer;
  }

  protected executeImpl(): Promise<string> {
    return this.#answer();
  }
}

export const settingsFor = (limits: Load['limits']): ExecutionSettings => ({
  ...executionSettings(),
  quotas: limits
    ? [
        {
          provider: PROVIDER,
          capability: CAPABILITY,
          limits: { ...limits, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 },
        },
      ]
    : [],
});

interface Instance {
  readonly execution: Execution;
  readonly provider: Provider;
}

class Play {
  readonly #ground: Ground;
  readonly #store: Store;
  readonly #load: Load;
  readonly #random: () => number;
  readonly #timeline: Timeline;
  readonly #settings: ExecutionSettings;
  readonly #name = `load-${++loads}`;
  readonly #instances: Instance[];
  /** By document. */
  readonly #used = new Map<string, Use>();
  #isEnding = false;
  #born = 0;
  #calls = 0;
  #served = 0;

  constructor(ground: Ground, store: Store, load: Load) {
    this.#ground = ground;
    this.#store = store;
    this.#load = load;
    this.#random = seeded(load.seed);
    this.#timeline = new Timeline(ground.clock.nowMs());
    this.#settings = settingsFor(load.limits);
    this.#instances = Array.from({ length: load.instances }, (_, place) => this.#start(place));
  }

  async figures(): Promise<LoadFigures> {
    const { durationS } = this.#load;
    const { meter } = this.#ground.cloud;
    const endMs = this.#timeline.nowMs() + durationS * 1_000;
    const before = meter.read();
    this.#arrive(endMs);
    await this.#timeline.run(endMs + DRAIN_MS);
    this.#isEnding = true;
    for (const { execution } of this.#instances) await this.#timeline.until(execution.close());
    const after = meter.read();
    return {
      calls: this.#calls,
      served: this.#served,
      readsPerCall: (after.reads - before.reads) / this.#calls,
      writesPerCall: (after.writes - before.writes) / this.#calls,
      quota: this.#costOf(quotaStates),
      health: this.#costOf(healthStates),
      attempts: this.#costOf(executionMetrics),
    };
  }

  #costOf({ path }: Collection<unknown>): Cost {
    const used = [...this.#used].filter(([of]) => of.startsWith(`${path}/`));
    const total = (count: (use: Use) => number) => sum(used.map(([, use]) => count(use)));
    return {
      readsPerCall: total(({ reads }) => reads) / this.#calls,
      writesPerCall: total(({ writes }) => writes) / this.#calls,
      writesPerS: Math.max(0, ...used.map(([, { bySecond }]) => rateOf(bySecond))),
      writesPerSMax: Math.max(0, ...used.flatMap(([, { bySecond }]) => [...bySecond.values()])),
    };
  }

  #start(place: number): Instance {
    const execution = createExecution({
      store: this.#watched(),
      clock: this.#timeline,
      random: this.#random,
      settings: () => this.#settings,
      instanceId: `${this.#name}-${++this.#born}`,
    });
    const answer = async () => {
      await this.#timeline.rest(PROVIDER_MS);
      return 'ok';
    };
    const { lifeS } = this.#load;
    if (lifeS !== undefined)
      this.#timeline.after(lifeS * 1_000 * (0.5 + this.#random()), () => {
        this.#instances[place] = this.#start(place);
        this.#timeline.after(DRAIN_MS, () => void execution.close());
      });
    return { execution, provider: new Provider(execution, answer) };
  }

  #arrive(endMs: number): void {
    const { callsPerS } = this.#load;
    this.#timeline.after((-Math.log(1 - this.#random()) / callsPerS) * 1_000, () => {
      if (this.#timeline.nowMs() > endMs) return;
      this.#arrive(endMs);
      const at = Math.floor(this.#random() * this.#instances.length);
      void this.#call(this.#instances[at] as Instance);
    });
  }

  async #call({ provider }: Instance): Promise<void> {
    this.#calls++;
    const { status } = await provider.execute({
      tenantId: this.#name,
      campaignId: null,
      operation: 'load',
      payload: null,
    });
    if (status === 'succeeded') this.#served++;
  }

  /** The store, as far away as a real one; each exchange is counted, and done before time goes on. */
  #watched(): ExecutionStore {
    const ask = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.#timeline.rest(STORE_MS);
      const answer = await this.#timeline.hold(async () => {
        await this.#ground.clock.advance(
          Math.max(0, this.#timeline.nowMs() - this.#ground.clock.nowMs()),
        );
        return work();
      });
      await this.#timeline.rest(STORE_MS);
      return answer;
    };
    return {
      get: (of) =>
        ask(() => {
          this.#count(of, 'reads');
          return this.#store.get(of);
        }),
      write: (writes) =>
        ask(() => {
          for (const write of writes) this.#count(write.ref, 'writes');
          return this.#store.write(writes);
        }),
      revise: (refs, rule) =>
        ask(() => {
          for (const of of Object.values(refs)) this.#count(of, 'reads');
          return this.#store.revise(refs, (docs, readAt) => {
            const decided = rule(docs, readAt);
            for (const write of decided.writes) this.#count(write.ref, 'writes');
            return decided;
          });
        }),
    };
  }

  #count({ path }: Ref<unknown>, what: 'reads' | 'writes'): void {
    let use = this.#used.get(path);
    if (!use) this.#used.set(path, (use = { reads: 0, writes: 0, bySecond: new Map() }));
    use[what]++;
    // That all end at once is the end of the simulation.
    if (what === 'reads' || this.#isEnding) return;
    const second = Math.floor(this.#timeline.nowMs() / 1_000);
    use.bySecond.set(second, (use.bySecond.get(second) ?? 0) + 1);
  }
}

interface Use {
  reads: number;
  writes: number;
  /** Writes by the second. */
  readonly bySecond: Map<number, number>;
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/** Writes a second from the first to the last; over less than this, there is no rate. */
const RATE_S_MIN = 30;

function rateOf(bySecond: ReadonlyMap<number, number>): number {
  const seconds = [...bySecond.keys()];
  const lastedS = Math.max(...seconds) - Math.min(...seconds) + 1;
  return lastedS >= RATE_S_MIN ? sum([...bySecond.values()]) / lastedS : 0;
}

interface Event {
  readonly atMs: number;
  readonly nth: number;
  fire: (() => void) | null;
}

/** Simulated time: it goes from event to event, and waits for what real work is under way. */
class Timeline implements ExecutionClock {
  #nowMs: number;
  #events: Event[] = [];
  #added = 0;
  #held = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return Math.floor(this.#nowMs);
  }

  at(dueMs: number, fire: () => void): { cancel: () => void } {
    const event: Event = { atMs: Math.max(this.#nowMs, dueMs), nth: this.#added++, fire };
    this.#push(event);
    return { cancel: () => (event.fire = null) };
  }

  after(ms: number, fire: () => void): void {
    this.at(this.#nowMs + ms, fire);
  }

  rest(ms: number): Promise<void> {
    return new Promise((done) => this.after(ms, done));
  }

  /** Does real work, one after another, while time stands still. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#held++;
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#held--;
    }
  }

  async run(untilMs: number): Promise<void> {
    while ((this.#events[0]?.atMs ?? Infinity) <= untilMs) await this.#step();
    this.#nowMs = untilMs;
  }

  /** Lets time pass until `work` is done. */
  async until(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    void work.finally(() => (isDone = true));
    await this.#settle();
    while (!isDone && this.#events.length > 0) await this.#step();
    await work;
  }

  async #step(): Promise<void> {
    const event = this.#pop();
    if (!event?.fire) return;
    this.#nowMs = event.atMs;
    event.fire();
    await this.#settle();
  }

  async #settle(): Promise<void> {
    do await new Promise<void>((done) => setImmediate(done));
    while (this.#held > 0);
  }

  /** A binary heap: the earliest first, and of the same time the one that was added first. */
  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (isBefore(above, event)) break;
      heap[at] = above;
      heap[(at = parent)] = event;
    }
  }

  #pop(): Event | undefined {
    const heap = this.#events;
    const [first] = heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (!left) return first;
      if (right && isBefore(right, left)) child++;
      const below = heap[child] as Event;
      if (isBefore(last, below)) return first;
      heap[at] = below;
      heap[(at = child)] = last;
    }
  }
}

const isBefore = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.nth < b.nth);
