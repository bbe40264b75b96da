import type { status } from '@grpc/grpc-js';

/**
 * What happens to a call that a rule picks.
 *
 * - `fail`: answered with `code` before anything is applied;
 * - `lose-acknowledgement`: applied, then answered with `code` (default UNAVAILABLE);
 * - `crash`: applied, never answered, and every later call of any product is refused with CANCELLED
 *   until `revive()`: to the outside, the calling process has died right after this call;
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
  /** Further condition on the decoded request. */
  readonly when?: (request: unknown) => boolean;
  /** Calls that match but pass before the rule strikes. Defaults to 0. */
  readonly after?: number;
  /** How often it strikes; defaults to once. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** Decides, call by call, whether a fault strikes. Rules are tried in the order they were added. */
export class Faults {
  #rules: { rule: FaultRule; passed: number; struck: number }[] = [];
  #crashed = false;
  readonly #crashListeners = new Set<() => void>();

  /** Adds a rule; the returned function withdraws it. */
  inject(rule: FaultRule): () => void {
    const entry = { rule, passed: 0, struck: 0 };
    this.#rules.push(entry);
    return () => void (this.#rules = this.#rules.filter((other) => other !== entry));
  }

  clear(): void {
    this.#rules = [];
    this.#crashed = false;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** The crashed process has been started again. */
  revive(): void {
    this.#crashed = false;
  }

  /** Calls `listener` at every crash, at the moment the process dies; the result stops that. */
  onCrash(listener: () => void): () => void {
    this.#crashListeners.add(listener);
    return () => void this.#crashListeners.delete(listener);
  }

  /** The fault that strikes this call, if any. Called once per RPC by the gRPC host. */
  strike(rpc: string, request: unknown): FaultAction | undefined {
    if (this.#crashed) return { kind: 'fail', code: 'CANCELLED', message: 'process has crashed' };
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.rpc !== '*' && rule.rpc !== rpc) continue;
      if (rule.when && !rule.when(request)) continue;
      if (entry.struck >= (rule.times ?? 1)) continue;
      if (entry.passed++ < (rule.after ?? 0)) continue;
      entry.struck++;
      if (rule.action.kind === 'crash' || rule.action.kind === 'crash-before') this.#crash();
      return rule.action;
    }
    return undefined;
  }

  #crash(): void {
    this.#crashed = true;
    for (const listener of this.#crashListeners) listener();
  }
}
