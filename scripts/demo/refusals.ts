import type { Purvey } from '../../local/purvey.ts';
import { SyntheticProvider } from '../../shared/execution/synthetic.ts';

/** What came of calls that an open breaker refuses, by the embedded cloud's meter. */
export interface Refusals {
  readonly calls: number;
  readonly refused: number;
  readonly reads: number;
  readonly writes: number;
  readonly ms: number;
}

/**
 * Calls the provider as a function of this process does, without a task around it: a task costs what it
 * keeps of itself.
 */
export const refusalsIn =
  ({ services, cloud }: Pick<Purvey, 'services' | 'cloud'>) =>
  async (tenantId: string, calls: number): Promise<Refusals> => {
    const provider = new SyntheticProvider(services);
    const call = { tenantId, campaignId: null, operation: 'demo', payload: { mode: 'succeed' } };
    const before = cloud.meter.read();
    const startedMs = performance.now();
    const results = await Promise.all(Array.from({ length: calls }, () => provider.execute(call)));
    const ms = performance.now() - startedMs;
    const after = cloud.meter.read();
    return {
      calls,
      refused: results.filter(
        (result) => result.status === 'deferred' && result.failure.reasonCode === 'circuit_open',
      ).length,
      reads: after.reads - before.reads,
      writes: after.writes - before.writes,
      ms,
    };
  };
