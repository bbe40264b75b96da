import type { ExecutionRequest, ProviderCall } from './call.ts';
import type { Due } from './deadlines.ts';
import type { ExecutionClock } from './ports.ts';

/** What the wait for an attempt ends with when nobody waits for the attempt any more. */
export const ENDED = Symbol('ended');

/** One execution under way: what its attempts see, and what ends it early. */
export class RunningCall<Payload> implements ProviderCall<Payload>, Due {
  readonly correlationId: string;
  readonly idempotencyKey: string;
  deadlineMs: number;
  attempt: number;
  httpStatus: number | null = null;
  /** Why it was ended from outside. */
  ended: 'timeout' | 'cancelled' | null = null;
  dueBefore: Due | null = null;
  dueAfter: Due | null = null;
  beside: Promise<unknown> | null = null;
  /** Stops waiting: for an attempt, or between two. */
  onEnd: (() => void) | null = null;
  readonly #request: ExecutionRequest<Payload>;
  readonly #clock: ExecutionClock;
  #controller: AbortController | undefined;
  #forget: (() => void) | undefined;

  /** @param newId makes a correlation id, where the request brings none */
  constructor(
    request: ExecutionRequest<Payload>,
    attempt: number,
    deadlineMs: number,
    clock: ExecutionClock,
    newId: () => string,
  ) {
    const { context } = request;
    this.#request = request;
    this.correlationId = context?.correlationId ?? newId();
    this.idempotencyKey = context?.idempotencyKey ?? this.correlationId;
    this.attempt = attempt;
    this.deadlineMs = deadlineMs;
    this.#clock = clock;
  }

  get tenantId(): string {
    return this.#request.tenantId;
  }

  get campaignId(): string | null {
    return this.#request.campaignId;
  }

  get operation(): string {
    return this.#request.operation;
  }

  get payload(): Payload {
    return this.#request.payload;
  }

  /** Made when it is asked for: a call that never looks at it does not pay for it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.ended !== null) this.#controller.abort(reasonOf(this.ended));
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.#clock.nowMs());
  }

  get isCancelled(): boolean {
    return this.ended === 'cancelled';
  }

  answered(httpStatus: number): void {
    this.httpStatus = httpStatus;
  }

  /** Cancels the call when `signal` is aborted. */
  endWith(signal: AbortSignal): void {
    const cancel = () => this.end('cancelled');
    signal.addEventListener('abort', cancel, { once: true });
    this.#forget = () => signal.removeEventListener('abort', cancel);
  }

  /** Notes work that need not be waited for before the answer is known. It never rejects. */
  besides(work: Promise<unknown>): void {
    this.beside = this.beside ? Promise.all([this.beside, work]) : work;
  }

  /** It is over: nothing outside refers to it any more. */
  release(): void {
    this.#forget?.();
  }

  expire(): void {
    this.end('timeout');
  }

  end(why: 'timeout' | 'cancelled'): void {
    if (this.ended !== null) return;
    this.ended = why;
    const stop = this.onEnd;
    this.onEnd = null;
    stop?.();
    this.#controller?.abort(reasonOf(why));
  }

  /** Settles with what `attempt` settles with, or rejects with `ENDED` as soon as the call is ended. */
  race<Value>(attempt: PromiseLike<Value>): Promise<Value> {
    if (this.ended !== null) {
      attempt.then(undefined, () => undefined);
      return Promise.reject(ENDED);
    }
    return new Promise((resolve, reject) => {
      this.onEnd = () => reject(ENDED);
      attempt.then(resolve, reject);
    });
  }

  /** Waits for `ms`; false when the call was ended meanwhile. */
  pause(ms: number): Promise<boolean> {
    if (this.ended !== null) return Promise.resolve(false);
    if (ms <= 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#clock.at(this.#clock.nowMs() + ms, () => {
        this.onEnd = null;
        resolve(true);
      });
      this.onEnd = () => {
        timer.cancel();
        resolve(false);
      };
    });
  }
}

const reasonOf = (why: 'timeout' | 'cancelled'): DOMException =>
  why === 'timeout'
    ? new DOMException('the time budget of this call is used up', 'TimeoutError')
    : new DOMException('the caller cancelled this call', 'AbortError');
