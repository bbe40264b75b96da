import type { IncomingMessage } from 'node:http';

import { sha256Hex } from '../canonical-json.ts';
import { AppError } from '../errors.ts';
import {
  type IdempotencyRecord,
  type Verdict,
  begun,
  idempotencyRecords,
  judge,
} from '../idempotency/record.ts';
import { ref } from '../store/collection.ts';
import { type Write, remove, set } from '../store/decision.ts';
import { type Caller, callerName } from './caller.ts';
import { hmacSha256Hex } from './hmac.ts';
import type { Services } from './services.ts';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** The caller's key, from either spelling of the header; null when there is none. */
export function idempotencyKeyOf(req: IncomingMessage): string | null {
  const given = req.headers['idempotency-key'] ?? req.headers['x-idempotency-key'];
  if (given === undefined) return null;
  if (typeof given !== 'string' || !KEY.test(given))
    throw new AppError(
      'invalid_request',
      'Idempotency-Key must be 1 to 255 printable ASCII characters; a UUID is a good choice.',
      { details: [{ field: 'header.idempotency-key', reason: 'malformed' }] },
    );
  return given;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The scope of a key: one caller, one function. Strangers are told apart by their address. */
export const scopedKey = (caller: Caller, functionName: string, key: string): string => {
  const name = caller.kind === 'public' ? `public ${caller.address}` : callerName(caller);
  return `${name}\n${functionName}\n${key}`;
};

/**
 * Runs `work` once per key: a repeat replays its answer, another body is refused, one still running is
 * told to wait. A failed run leaves nothing behind, so it may be tried again with the same key.
 *
 * @param secrets top-level fields of the answer that are never stored; a replay says it withholds them
 */
export async function oncePerKey(
  { store, now, config, randomBytes }: Pick<Services, 'store' | 'now' | 'config' | 'randomBytes'>,
  id: { scopedKey: string; request: string; leaseMs: number },
  secrets: readonly string[],
  work: () => Promise<Answer>,
): Promise<Answer> {
  const record = ref(idempotencyRecords, sha256Hex(id.scopedKey));
  const requestHmac = hmacSha256Hex(config.hmac_key, id.request);
  const runId = Buffer.from(randomBytes(12)).toString('hex');
  const mine = begun(runId, requestHmac, now(), id.leaseMs);
  // Most keys are new: one write finds that out without a read.
  const verdict: Verdict = (await store.append(record, mine))
    ? { kind: 'run', record: mine }
    : await store.revise({ record }, (docs) => {
        const verdict = judge(docs.record, mine, now());
        return { writes: verdict.kind === 'run' ? [set(record, mine)] : [], reply: verdict };
      });
  switch (verdict.kind) {
    case 'mismatch':
      throw new AppError(
        'idempotency_mismatch',
        'This Idempotency-Key was used for a different request; use a new key.',
      );
    case 'running':
      throw new AppError(
        'request_in_progress',
        'A request with this Idempotency-Key is still running; repeat it later for its answer.',
        { retryAfterS: verdict.retryAfterS },
      );
    case 'replay':
      return replayed(verdict.record);
    case 'run':
      break;
  }
  // After the lease another run may have taken over, and its record is not ours to touch.
  const ifMine = (write: Write) =>
    now().toISOString() < mine.lease_until
      ? store.write([write])
      : store.revise({ record }, (docs) => ({
          writes: docs.record?.run_id === runId ? [write] : [],
          reply: undefined,
        }));
  let answer: Answer;
  try {
    answer = await work();
  } catch (error) {
    await ifMine(remove(record)).catch(() => undefined);
    throw error;
  }
  const { shown, withheld } = withhold(answer.body, secrets);
  const done: IdempotencyRecord = {
    ...verdict.record,
    state: 'done',
    status: answer.status,
    response: JSON.stringify(shown),
    withheld,
  };
  // The effect is committed; without the record a retry still finds the command's own.
  await ifMine(set(record, done)).catch(() => undefined);
  return answer;
}

function withhold(body: unknown, secrets: readonly string[]) {
  if (body === null || typeof body !== 'object') return { shown: body, withheld: [] };
  const entries = Object.entries(body);
  return {
    shown: Object.fromEntries(entries.filter(([name]) => !secrets.includes(name))),
    withheld: entries.flatMap(([name, value]) =>
      secrets.includes(name) && value !== undefined ? [name] : [],
    ),
  };
}

function replayed(record: IdempotencyRecord): Answer {
  const body: unknown = JSON.parse(record.response ?? 'null');
  const withheld = record.withheld ?? [];
  return {
    status: record.status ?? 200,
    body: withheld.length === 0 ? body : { ...(body as object), ...withheldNotice(withheld) },
  };
}

/** What an answer says in place of secrets that were shown before and are not kept. */
export const withheldNotice = (fields: readonly string[]) => ({
  withheld: fields,
  notice: `${fields.join(' and ')} were shown once, when this was created, and are not kept. Rotate the key if they are lost.`,
});
