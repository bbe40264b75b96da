const FULL_TOKEN = 1 - 1e-9;

/** Lets a burst through at once and then so many a second. Starts full. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** When the next token is there; `nowMs` itself if one is there already. */
  readyMs(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= FULL_TOKEN) return nowMs;
    return nowMs + Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000);
  }

  take(nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= 1;
  }

  #refill(nowMs: number): void {
    const elapsedS = Math.max(0, nowMs - this.#atMs) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedS * this.#perSecond);
    this.#atMs = nowMs;
  }
}
