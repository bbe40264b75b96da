import type { ExecutionRequest, ProviderCall, ProviderTarget } from './call.ts';
import { errorOf } from './classify.ts';
import type { ProviderError } from './errors.ts';
import type { Execution } from './execution.ts';
import type { ProviderExecutionResult } from './result.ts';

/**
 * A provider as the product calls it. `execute` is the only way in: quota, breaker, retries, deadline,
 * metrics and health come with it. A provider says in `executeImpl` how one attempt is made.
 */
export abstract class ProviderBase<Payload = unknown, Value = unknown> {
  abstract readonly providerName: string;
  abstract readonly capability: string;
  readonly #execution: Execution;
  #target: ProviderTarget<Payload, Value> | undefined;

  constructor(execution: Execution) {
    this.#execution = execution;
  }

  /** Never throws for what the provider does: what came of it is in the result. */
  execute(request: ExecutionRequest<Payload>): Promise<ProviderExecutionResult<Value>> {
    this.#target ??= {
      providerName: this.providerName,
      capability: this.capability,
      invoke: (call) => this.executeImpl(call),
      errorOf: (thrown) => this.errorOf(thrown),
    };
    return this.#execution.run(this.#target, request);
  }

  /**
   * One attempt. It passes `call.signal` on, and throws a `ProviderError` or whatever `errorOf` can map.
   */
  protected abstract executeImpl(call: ProviderCall<Payload>): Promise<Value>;

  /** A provider whose errors need more than the common table overrides this. */
  protected errorOf(thrown: unknown): ProviderError {
    return errorOf(thrown);
  }
}
