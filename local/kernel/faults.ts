import type { status } from '@grpc/grpc-js';

import {
  type DeliveryFault,
  DeliveryFaults,
  type DeliveryKind,
  type DeliveryRule,
} from './delivery-faults.ts';
import { seeded } from './seeded.ts';
import { Strikes } from './strikes.ts';

/**
 * What happens to a call that a rule picks.
 *
 * - `fail`: answered with `code` before anything is applied;
 * - `lose-acknowledgement`: applied, then answered with `code` (default UNAVAILABLE);
 * - `crash`: applied and not answered, and every later call of any product is refused with CANCELLED
 *   until `revive()`, which ends this call, too: to the outside, the calling process has died right
 *   after it;
 * - `crash-before`: as `crash`, but the call itself is not applied;
 * - `hang`: neither applied nor answered.
 */
export type FaultAction =
  | { readonly kind: 'fail'; readonly code: keyof typeof status; readonly message?: string }
  | { readonly kind: 'lose-acknowledgement'; readonly code?: keyof typeof status }
  | { readonly kind: 'crash' }
  | { readonly kind: 'crash-before' }
  | { readonly kind: 'hang' };

export interface FaultRule {
  /** Short RPC name (`Commit`, `Publish`, `CreateTask`, …) or `*`. */
  readonly rpc: string;
  /** Further condition on the decoded request; a stream is asked at its opening, without one. */
  readonly when?: (request: unknown) => boolean;
  /** Calls that match but pass before the rule strikes. Defaults to 0. */
  readonly after?: number;
  /** How often it strikes; defaults to once. */
  readonly times?: number;
  readonly action: FaultAction;
  /** Told the RPC's name each time it strikes. */
  readonly onStrike?: (rpc: string) => void;
}

/** Faults drawn by chance, the same ones for the same seed and order of calls. */
export interface Chance<Action> {
  /** Of each call to be struck, 0 to 1. */
  readonly probability: number;
  /** Drawn from with equal chances. */
  readonly actions: readonly Action[];
  /** RPC names or kinds of delivery that may be struck; all by default. */
  readonly only?: readonly string[];
  /** How often it strikes at most; unlimited by default. */
  readonly times?: number;
}

/** Decides, call by call, whether a fault strikes. Rules are tried in the order they were added. */
export class Faults {
  readonly #strikes = new Strikes<unknown, FaultAction>();
  readonly #deliveries = new DeliveryFaults();
  #crashed = false;
  #revival = Promise.withResolvers<void>();
  readonly #crashListeners = new Set<() => void>();

  /** Adds a rule; the returned function withdraws it. */
  inject(rule: FaultRule): () => void {
    return this.#strikes.add({
      matches: (rpc, request) =>
        (rule.rpc === '*' || rule.rpc === rpc) && (rule.when?.(request) ?? true),
      after: rule.after ?? 0,
      times: rule.times ?? 1,
      action: (rpc) => {
        rule.onStrike?.(rpc);
        return rule.action;
      },
    });
  }

  /** Strikes calls by chance, as the seed has it; the returned function ends that. */
  random(seed: number, chance: Chance<FaultAction>): () => void {
    return this.#strikes.add(byChance(seed, chance));
  }

  /** Adds a rule for deliveries; the returned function withdraws it. */
  injectDelivery(rule: DeliveryRule): () => void {
    return this.#deliveries.inject(rule);
  }

  /** Strikes deliveries by chance, as the seed has it; the returned function ends that. */
  randomDeliveries(seed: number, chance: Chance<DeliveryFault>): () => void {
    return this.#deliveries.strikes.add(byChance(seed, chance));
  }

  clear(): void {
    this.#strikes.clear();
    this.#deliveries.strikes.clear();
    this.revive();
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** The crashed process has been started again. */
  revive(): void {
    this.#crashed = false;
    this.#revival.resolve();
    this.#revival = Promise.withResolvers();
  }

  /** Resolves when the process that has crashed is started again. */
  untilRevived(): Promise<void> {
    return this.#revival.promise;
  }

  /** Calls `listener` at every crash, at the moment the process dies; the result stops that. */
  onCrash(listener: () => void): () => void {
    this.#crashListeners.add(listener);
    return () => void this.#crashListeners.delete(listener);
  }

  /** The fault that strikes this call, if any. Called once per RPC by the gRPC host. */
  strike(rpc: string, request: unknown): FaultAction | undefined {
    if (this.#crashed) return { kind: 'fail', code: 'CANCELLED', message: 'process has crashed' };
    const action = this.#strikes.strike(rpc, request);
    if (action?.kind === 'crash' || action?.kind === 'crash-before') this.#crash();
    return action;
  }

  /** The fault that strikes this attempt of a delivery, if any. Called once per attempt. */
  strikeDelivery(kind: DeliveryKind, url: string): DeliveryFault | undefined {
    return this.#deliveries.strikes.strike(kind, url);
  }

  #crash(): void {
    this.#crashed = true;
    for (const listener of [...this.#crashListeners]) listener();
  }
}

function byChance<Action>(seed: number, chance: Chance<Action>) {
  const { probability, actions, only, times = Infinity } = chance;
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`probability should be between 0 and 1, got ${probability}`);
  if (actions.length === 0) throw new RangeError('actions should name at least one');
  const draw = seeded(seed);
  return {
    matches: (name: string) => (only?.includes(name) ?? true) && draw() < probability,
    after: 0,
    times,
    action: () => actions[Math.floor(draw() * actions.length)] as Action,
  };
}
