import { Strikes } from './strikes.ts';

/** Who delivers: Pub/Sub push, Cloud Tasks or Cloud Scheduler. */
export type DeliveryKind = 'push' | 'task' | 'job';

/**
 * What happens to a delivery that a rule picks.
 *
 * - `duplicate`: made twice, the second time once the first is answered or, `together`, at once; the
 *   first answer counts;
 * - `delay`: made `ms` later, without counting as an attempt, so that others overtake it; messages of
 *   one ordering key wait for it all the same;
 * - `lose-acknowledgement`: the target does its work, but its answer never arrives;
 * - `lose`: does not reach the target.
 */
export type DeliveryFault =
  | { readonly kind: 'duplicate'; readonly together?: boolean }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'lose-acknowledgement' }
  | { readonly kind: 'lose' };

export interface DeliveryRule {
  readonly delivery: DeliveryKind | '*';
  /** Further condition on the target's address. */
  readonly when?: (url: string) => boolean;
  /** Attempts that match but pass before the rule strikes. Defaults to 0. */
  readonly after?: number;
  /** How often it strikes; defaults to once. */
  readonly times?: number;
  readonly action: DeliveryFault;
}

/** Decides, attempt by attempt, whether a fault strikes a delivery. */
export class DeliveryFaults {
  readonly strikes = new Strikes<string, DeliveryFault>();

  inject(rule: DeliveryRule): () => void {
    return this.strikes.add({
      matches: (kind, url) =>
        (rule.delivery === '*' || rule.delivery === kind) && (rule.when?.(url) ?? true),
      after: rule.after ?? 0,
      times: rule.times ?? 1,
      action: () => rule.action,
    });
  }
}
