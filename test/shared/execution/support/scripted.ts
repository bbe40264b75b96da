import { ManualClock } from '../../../../local/kernel/clock.ts';
import type { ExecutionRequest, ProviderCall } from '../../../../shared/execution/call.ts';
import { providerErrorOf } from '../../../../shared/execution/errors.ts';
import { createExecution } from '../../../../shared/execution/executor.ts';
import type { Execution } from '../../../../shared/execution/execution.ts';
import type { ExecutionEvent } from '../../../../shared/execution/key-health.ts';
import type { ExecutionSettings } from '../../../../shared/execution/policy.ts';
import { ProviderBase } from '../../../../shared/execution/provider-base.ts';
import type { ReasonCode } from '../../../../shared/execution/reasons.ts';
import { MemoryStore } from './memory-store.ts';

export const settingsWith = (
  given: {
    retry?: Partial<ExecutionSettings['defaults']['retry']>;
    breaker?: Partial<ExecutionSettings['defaults']['breaker']>;
    timeout_budget_s?: number;
    quotas?: ExecutionSettings['quotas'];
    telemetry?: Partial<ExecutionSettings['telemetry']>;
    capabilities?: ExecutionSettings['capabilities'];
  } = {},
): ExecutionSettings => ({
  defaults: {
    retry: {
      max_attempts: 3,
      base_delay_s: 0.25,
      max_delay_s: 5,
      jitter_ratio: 0,
      in_process_wait_s: 2,
      budget_tokens: 0,
      budget_token_ratio: 0.1,
      ...given.retry,
    },
    breaker: {
      scope: 'tenant',
      failure_threshold: 5,
      open_cooldown_s: 60,
      cooldown_multiplier: 2,
      max_cooldown_s: 600,
      half_open_max_calls: 1,
      success_threshold: null,
      global_tenants: 2,
      ...given.breaker,
    },
    timeout_budget_s: given.timeout_budget_s ?? 30,
  },
  capabilities: given.capabilities ?? {},
  quotas: given.quotas ?? [],
  telemetry: {
    flush_after_s: 30,
    rows_max: 100,
    retention_days: 30,
    snapshot_s: 15,
    global_snapshot_s: 60,
    ...given.telemetry,
  },
});

export type Script = (call: ProviderCall<unknown>) => unknown;

/** A provider that does what its script says; `calls` is what it was asked. */
export class Scripted extends ProviderBase {
  readonly providerName: string = 'scripted';
  readonly capability: string = 'testing';
  script: Script;
  calls = 0;

  constructor(execution: Execution, script: Script = () => Promise.resolve('ok')) {
    super(execution);
    this.script = script;
  }

  protected executeImpl(call: ProviderCall<unknown>): Promise<unknown> {
    this.calls++;
    return this.script(call) as Promise<unknown>;
  }
}

export const failing =
  (reason: ReasonCode, options: Parameters<typeof providerErrorOf>[2] = {}): Script =>
  async () => {
    throw providerErrorOf(reason, `it fails with ${reason}`, options);
  };

/** Each outcome for one attempt, then the last for ever. */
export const inTurn = (...scripts: readonly Script[]): Script => {
  let next = 0;
  return (call) => (scripts[Math.min(next++, scripts.length - 1)] as Script)(call);
};

export interface Bench {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly events: ExecutionEvent[];
  /** One more instance over the same store. */
  instance(settings?: ExecutionSettings): Execution;
  /** Advances the clock in steps until `work` settles. */
  during<T>(work: Promise<T>, stepMs?: number): Promise<T>;
}

export function openBench(settings: ExecutionSettings = settingsWith()): Bench {
  const clock = new ManualClock();
  const store = new MemoryStore(() => clock.nowMs());
  const events: ExecutionEvent[] = [];
  let instances = 0;
  return {
    clock,
    store,
    events,
    instance: (own = settings) =>
      createExecution({
        store,
        clock,
        random: () => 0.5,
        settings: () => own,
        instanceId: `i${++instances}`,
        onEvent: (event) => void events.push(event),
      }),
    async during(work, stepMs = 50) {
      let settled = false;
      const done = work.finally(() => (settled = true));
      done.catch(() => undefined);
      while (!settled) await clock.advance(stepMs);
      return done;
    },
  };
}

export const requestFor = (
  tenantId = 'acme',
  context: ExecutionRequest<unknown>['context'] = {},
): ExecutionRequest<unknown> => ({
  tenantId,
  campaignId: null,
  operation: 'test',
  payload: {},
  context,
});
