import type { ExecutionRequest, ProviderTarget } from './call.ts';
import type { ExecutionKey } from './key.ts';
import type { ExecutionPolicy } from './policy.ts';
import type { ProviderExecutionResult } from './result.ts';

/** The execution layer of one instance. */
export interface Execution {
  /** What `ProviderBase.execute` does. Never throws for what a provider or the store does. */
  run<Payload, Value>(
    target: ProviderTarget<Payload, Value>,
    request: ExecutionRequest<Payload>,
  ): Promise<ProviderExecutionResult<Value>>;
  policyOf(key: ExecutionKey): ExecutionPolicy;
  /** Writes what this instance has counted but not written yet. */
  flush(): Promise<void>;
  /** Flushes and returns leases: the instance ends. */
  close(): Promise<void>;
}
