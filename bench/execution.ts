/*
 * What `execute` costs in process around an async no-op, and what a refusal costs while the breaker is
 * open, beside cockatiel and opossum in the same run. Ratios are medians over rounds in which each
 * variant takes its turn; the order rotates. `node bench/execution.ts`
 */
import {
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  TimeoutStrategy,
  circuitBreaker,
  handleAll,
  retry,
  timeout,
  wrap,
} from 'cockatiel';
import CircuitBreaker from 'opossum';

import { createExecution } from '../shared/execution/executor.ts';
import type { Execution } from '../shared/execution/execution.ts';
import { ExecutionSettings } from '../shared/execution/policy.ts';
import { ProviderBase } from '../shared/execution/provider-base.ts';
import { readConfigFile } from '../shared/runtime/config.ts';
import type { ExecutionStore } from '../shared/execution/ports.ts';
import { percentile, report } from './support.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 21);
const CALLS = Number(process.env['CALLS'] ?? 20_000);

const median = (samples: readonly number[]) => percentile(samples, 0.5);
const noop = async () => 1;

/** Keeps what is written as it is: what the layer itself does is measured, not a store. */
function openStore(): ExecutionStore {
  const docs = new Map<string, unknown>();
  const write: ExecutionStore['write'] = async (writes) => {
    for (const each of writes)
      if (each.kind !== 'remove' && !each.ref.path.startsWith('provider_execution_metrics/'))
        docs.set(each.ref.path, each.doc);
  };
  return {
    get: async (ref) => (docs.get(ref.path) ?? null) as never,
    async revise(refs, revise) {
      const found = Object.entries(refs).map(([name, ref]) => [name, docs.get(ref.path) ?? null]);
      const { writes, reply } = revise(Object.fromEntries(found), new Date());
      await write(writes);
      return reply;
    },
    write,
  };
}

/** As in production, attempts packed and flushed included. */
function openExecution(quota: boolean): Execution {
  const configured = ExecutionSettings.parse(readConfigFile('execution'));
  const limits = { minute: 1e9, time_zone: 'UTC', outage: 'refuse', outage_allowance: 0 } as const;
  const settings = {
    ...configured,
    quotas: quota ? [{ provider: 'noop', capability: 'noop', limits }] : [],
  };
  return createExecution({
    store: openStore(),
    clock: {
      nowMs: Date.now,
      at(dueMs, fire) {
        const timer = setTimeout(fire, Math.max(0, dueMs - Date.now())).unref();
        return { cancel: () => clearTimeout(timer) };
      },
    },
    random: Math.random,
    settings: () => settings,
    instanceId: 'bench',
  });
}

class Noop extends ProviderBase<null, number> {
  readonly providerName = 'noop';
  readonly capability = 'noop';
  fails = false;
  protected async executeImpl(): Promise<number> {
    if (this.fails) throw new Error('fails');
    return 1;
  }
}

/** As a task or a delivery makes it, which bring their own ids. */
const request = {
  tenantId: 'acme',
  campaignId: null,
  operation: 'noop',
  payload: null,
  context: { correlationId: 'run_1', idempotencyKey: 'key_1' },
};
const plain = new Noop(openExecution(false));
const withQuota = new Noop(openExecution(true));
const open = new Noop(openExecution(false));
open.fails = true;
for (let i = 0; i < 5; i++) await open.execute(request);
if ((await open.execute(request)).status !== 'deferred') throw new Error('it should be open');

const retries = () => retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() });
const breaks = () =>
  circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker: new ConsecutiveBreaker(5) });
const cockatiel = wrap(retries(), breaks(), timeout(30_000, TimeoutStrategy.Cooperative));
const cockatielOpen = breaks();
const fail = () => Promise.reject(new Error('fails'));
for (let i = 0; i < 5; i++) await cockatielOpen.execute(fail).catch(() => undefined);
if (cockatielOpen.state !== CircuitState.Open) throw new Error('it should be open');
const opossum = new CircuitBreaker(noop, { timeout: 30_000 });
const opossumOpen = new CircuitBreaker(fail, { resetTimeout: 600_000 });
await opossumOpen.fire().catch(() => undefined);
if (!opossumOpen.opened) throw new Error('it should be open');

const variants: Record<string, () => Promise<unknown>> = {
  'plain call': noop,
  'execute (deadline, breakers, counts)': () => plain.execute(request),
  'execute with quota': () => withQuota.execute(request),
  'cockatiel retry + breaker + timeout': () => cockatiel.execute(noop),
  'opossum with timeout': () => opossum.fire(),
  'open: execute': () => open.execute(request),
  'open: cockatiel': () => cockatielOpen.execute(noop).catch(() => undefined),
  'open: opossum': () => opossumOpen.fire().catch(() => undefined),
};

async function nsPerCall(call: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) await call();
  return Number(process.hrtime.bigint() - started) / CALLS;
}

const names = Object.keys(variants);
const times = new Map(names.map((name) => [name, [] as number[]]));
for (const call of Object.values(variants)) await nsPerCall(call);
for (let round = 0; round < ROUNDS; round++)
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length] as string;
    times.get(name)?.push(await nsPerCall(variants[name] as () => Promise<unknown>));
  }

const of = (name: string) => times.get(name) as number[];
const ratio = (a: string, b: string) =>
  Number(median(of(a).map((ns, round) => ns / (of(b)[round] as number))).toFixed(2));
for (const name of names)
  report('execution', name, {
    nsPerCall: Math.round(median(of(name))),
    timesPlain: ratio(name, 'plain call'),
  });
const ours = 'execute (deadline, breakers, counts)';
report('execution', 'ratios', {
  cockatielPerExecute: ratio('cockatiel retry + breaker + timeout', ours),
  opossumPerExecute: ratio('opossum with timeout', ours),
  cockatielPerExecuteWithQuota: ratio('cockatiel retry + breaker + timeout', 'execute with quota'),
  opossumPerExecuteWithQuota: ratio('opossum with timeout', 'execute with quota'),
  openCockatielPerExecute: ratio('open: cockatiel', 'open: execute'),
  openOpossumPerExecute: ratio('open: opossum', 'open: execute'),
});
opossum.shutdown();
opossumOpen.shutdown();
