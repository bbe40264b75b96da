import { z } from 'zod';

import { sha256Hex } from '../canonical-json.ts';
import type { ProviderCall } from './call.ts';
import {
  ProviderBadRequestError,
  type ProviderError,
  ProviderResponseFormatError,
  providerErrorOf,
} from './errors.ts';
import type { Execution } from './execution.ts';
import type { ExecutionClock } from './ports.ts';
import { ProviderBase } from './provider-base.ts';
import { REASON_CODES } from './reasons.ts';
import type { JsonObject } from './task-execution.ts';

/** Answered back by whatever succeeds. */
const echo = { echo: z.json().default(null) };
const failing = {
  http_status: z.int().min(100).max(599).optional(),
  retry_after_ms: z.int().nonnegative().optional(),
};
const Reason = z.enum(REASON_CODES);
const passing = { ...failing, reason: Reason.default('dependency_unavailable') };

const Payload = z.discriminatedUnion('mode', [
  z.object({ mode: z.literal('succeed'), ...echo }),
  z.object({ mode: z.literal('fail'), reason: Reason, ...failing }),
  /** Fails on the first `times` attempts of the task. */
  z.object({ mode: z.literal('fail_times'), times: z.int().nonnegative(), ...passing, ...echo }),
  /** Fails on a share of attempts; which ones follows from `seed`. */
  z.object({
    mode: z.literal('flaky'),
    rate: z.number().min(0).max(1),
    seed: z.union([z.string(), z.number()]).default(0),
    ...passing,
    ...echo,
  }),
  /** Answers after `delay_ms`, unless it is told to stop before. */
  z.object({ mode: z.literal('slow'), delay_ms: z.int().nonnegative(), ...echo }),
  /** Never answers, and does not listen. */
  z.object({ mode: z.literal('hang') }),
  /** Answers what nobody can read. */
  z.object({ mode: z.literal('garbage') }),
  /** Fails with an error of no known kind, whose text looks like a secret. */
  z.object({ mode: z.literal('throw') }),
]);
type Payload = z.infer<typeof Payload>;

const MODES = Payload.options.map(({ shape }) => shape.mode.value);

export interface SyntheticAnswer {
  readonly echo: unknown;
  /** The attempt that succeeded. */
  readonly attempt: number;
}

/** A provider without an outside, which does what its payload says: for proofs and the demo. */
export class SyntheticProvider extends ProviderBase<JsonObject, SyntheticAnswer> {
  static readonly providerName = 'synthetic';
  static readonly capability = 'synthetic_call';
  readonly providerName = SyntheticProvider.providerName;
  readonly capability = SyntheticProvider.capability;
  readonly #clock: ExecutionClock;

  constructor({ execution, clock }: { execution: Execution; clock: ExecutionClock }) {
    super(execution);
    this.#clock = clock;
  }

  protected override async executeImpl(call: ProviderCall<JsonObject>): Promise<SyntheticAnswer> {
    const payload = readPayload(call.payload);
    switch (payload.mode) {
      case 'succeed':
        break;
      case 'fail':
        throw failure(payload);
      case 'fail_times':
        if (call.attempt <= payload.times) throw failure(payload);
        break;
      case 'flaky':
        if (draw(payload.seed, call.attempt) < payload.rate) throw failure(payload);
        break;
      case 'slow':
        await this.#wait(payload.delay_ms, call.signal);
        break;
      case 'hang':
        return new Promise(() => undefined);
      case 'garbage':
        throw new ProviderResponseFormatError('the synthetic provider answered with garbage');
      case 'throw':
        throw new Error('refused: Authorization: Bearer synthetic-secret, password hunter2');
    }
    call.answered(200);
    return { echo: payload.echo, attempt: call.attempt };
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        timer.cancel();
        reject(signal.reason as Error);
      };
      const timer = this.#clock.at(this.#clock.nowMs() + ms, () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }
}

/** @throws {ProviderBadRequestError} naming the modes, or the fields that are wrong */
function readPayload(given: JsonObject): Payload {
  const parsed = Payload.safeParse(given);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, code, message }) =>
    code === 'invalid_union' ? `mode must be ${MODES.join(', ')}` : `${path.join('.')}: ${message}`,
  );
  throw new ProviderBadRequestError(`the payload is not one that it takes: ${wrong.join('; ')}`);
}

const failure = ({
  reason,
  http_status: httpStatus,
  retry_after_ms: retryAfterMs,
}: Extract<Payload, { mode: 'fail' | 'fail_times' | 'flaky' }>): ProviderError =>
  providerErrorOf(reason, `the synthetic provider was told to fail with ${reason}`, {
    ...(httpStatus !== undefined && { httpStatus }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

/** From 0 inclusive to 1 exclusive: the same for the same seed and attempt, on every instance. */
const draw = (seed: string | number, attempt: number): number =>
  Number.parseInt(sha256Hex(`${seed}\n${attempt}`).slice(0, 8), 16) / 2 ** 32;
