import { type ProviderAnswer, classify } from '../execution/classify.ts';
import type { ProviderCall } from '../execution/call.ts';
import { type ProviderError, providerErrorOf } from '../execution/errors.ts';
import type { Execution } from '../execution/execution.ts';
import { ProviderBase } from '../execution/provider-base.ts';

const GONE = 410;

/** A webhook, signed and ready. */
export interface SignedWebhook {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** As much of the way out as a webhook needs. */
interface Post {
  request(request: {
    readonly url: string;
    readonly method: 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly responseBytesMax: number;
  }): Promise<ProviderAnswer>;
}

/** One marketplace provider's webhook. Its value is the status of the 2xx that it answered. */
export class WebhookProvider extends ProviderBase<SignedWebhook, number> {
  readonly providerName: string;
  readonly capability = 'webhook_delivery';
  readonly #outbound: Post;
  readonly #now: () => Date;

  constructor(
    providerId: string,
    { execution, outbound, now }: { execution: Execution; outbound: Post; now: () => Date },
  ) {
    super(execution);
    this.providerName = providerId;
    this.#outbound = outbound;
    this.#now = now;
  }

  protected async executeImpl(call: ProviderCall<SignedWebhook>): Promise<number> {
    const { url, headers, body } = call.payload;
    const answer = await this.#outbound.request({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      timeoutMs: call.remainingMs,
      signal: call.signal,
      // That it answers is enough; what it says is nobody's business.
      responseBytesMax: 0,
    });
    const error = webhookError(answer, this.#now());
    if (error) throw error;
    const status = answer.kind === 'response' ? answer.status : 0;
    call.answered(status);
    return status;
  }
}

/**
 * What a webhook's answer means: any 2xx is a delivery, 410 means never again, and everything else is
 * worth another attempt, as Standard Webhooks has it. A target that our own policy forbids stays
 * forbidden.
 */
export function webhookError(answer: ProviderAnswer, at: Date): ProviderError | null {
  const error = classify(answer, at);
  if (error === null) return null;
  if (answer.kind === 'forbidden')
    return providerErrorOf('bad_request', `the webhook URL ${answer.reason}`);
  return providerErrorOf(error.reasonCode, messageOf(answer), {
    httpStatus: error.httpStatus,
    retryAfterMs: error.retryAfterMs,
    retryable: error.httpStatus !== GONE,
  });
}

function messageOf(answer: Exclude<ProviderAnswer, { readonly kind: 'forbidden' }>): string {
  if (answer.kind === 'response') return `the webhook answered ${answer.status}`;
  switch (answer.reason) {
    case 'timeout':
      return 'the webhook did not answer in time';
    case 'connection_error':
      return 'no connection to the webhook could be made';
    case 'response_too_large':
      return 'the webhook answered with more than it may';
  }
}
