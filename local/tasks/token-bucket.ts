const FULL_TOKEN = 1 - 1e-9;

/** How full a bucket was at a time. */
export interface Level {
  readonly tokens: number;
  readonly atMs: number;
}

/** Lets a burst through at once and then so many a second. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: Level;

  constructor(perSecond: number, burst: number, level: Level) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = { ...level, tokens: Math.min(burst, level.tokens) };
  }

  get level(): Level {
    return this.#level;
  }

  /** When the next token is there; `nowMs` itself if one is there already. */
  readyMs(nowMs: number): number {
    const tokens = this.#tokensAt(nowMs);
    if (tokens >= FULL_TOKEN) return nowMs;
    return nowMs + Math.ceil(((1 - tokens) / this.#perSecond) * 1000);
  }

  take(nowMs: number): void {
    this.#level = { tokens: this.#tokensAt(nowMs) - 1, atMs: nowMs };
  }

  #tokensAt(nowMs: number): number {
    const elapsedS = Math.max(0, nowMs - this.#level.atMs) / 1000;
    return Math.min(this.#burst, this.#level.tokens + elapsedS * this.#perSecond);
  }
}
