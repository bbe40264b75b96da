import { type ProviderAnswer, classify } from '../execution/classify.ts';
import type { ProviderCall } from '../execution/call.ts';
import { providerErrorOf } from '../execution/errors.ts';
import type { Execution } from '../execution/execution.ts';
import { ProviderBase } from '../execution/provider-base.ts';

/** Nobody's but ours. */
const PLATFORM = 'platform';

/** As much of the way out as a probe needs. */
interface Get {
  request(request: {
    readonly url: string;
    readonly method: 'GET';
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly responseBytesMax: number;
  }): Promise<ProviderAnswer>;
}

/** Whether a marketplace provider's endpoint answers: any status below 500 does. */
export class EndpointProbe extends ProviderBase<{ readonly url: string }, number> {
  readonly providerName: string;
  readonly capability = 'endpoint_probe';
  /** How long it may take, in seconds. */
  readonly budgetS: number;
  readonly #outbound: Get;
  readonly #now: () => Date;

  constructor(
    providerId: string,
    { execution, outbound, now }: { execution: Execution; outbound: Get; now: () => Date },
  ) {
    super(execution);
    this.providerName = providerId;
    const { timeoutBudgetMs } = execution.policyOf({
      tenantId: PLATFORM,
      providerName: providerId,
      capability: this.capability,
    });
    this.budgetS = timeoutBudgetMs / 1_000;
    this.#outbound = outbound;
    this.#now = now;
  }

  /** Asks once. Its failure's message says what was wrong with the endpoint. */
  probe(url: string) {
    return this.execute({
      tenantId: PLATFORM,
      campaignId: null,
      operation: 'probe',
      payload: { url },
    });
  }

  protected async executeImpl(call: ProviderCall<{ readonly url: string }>): Promise<number> {
    const answer = await this.#outbound.request({
      url: call.payload.url,
      method: 'GET',
      timeoutMs: call.remainingMs,
      signal: call.signal,
      // That it answers is enough; how long its page is says nothing.
      responseBytesMax: 0,
    });
    if (answer.kind === 'response' && answer.status < 500) {
      call.answered(answer.status);
      return answer.status;
    }
    const { reasonCode, httpStatus } = classify(answer, this.#now()) ?? {
      reasonCode: 'response_invalid' as const,
      httpStatus: null,
    };
    throw providerErrorOf(reasonCode, described(answer), { httpStatus });
  }
}

function described(answer: ProviderAnswer): string {
  if (answer.kind === 'response') return `it answered ${answer.status}`;
  if (answer.kind === 'forbidden') return `the URL ${answer.reason}`;
  return answer.reason === 'timeout' ? 'it did not answer in time' : 'no connection could be made';
}
