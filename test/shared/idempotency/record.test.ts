import { describe, expect, it } from 'vitest';

import {
  type IdempotencyRecord,
  IdempotencyRecord as Schema,
  begun,
  judge,
} from '../../../shared/idempotency/record.ts';

const LEASE_MS = 60_000;
const start = new Date('2026-01-15T10:00:00.000Z');
const later = (ms: number) => new Date(start.getTime() + ms);

const first = begun('run-1', 'hmac-a', start, LEASE_MS);
const done: IdempotencyRecord = { ...first, state: 'done', status: 200, response: '{}' };

describe('the record of a run that begins', () => {
  it('is leased for as long as the run may take and kept for 24 hours', () => {
    expect(first).toEqual({
      request_hmac: 'hmac-a',
      state: 'running',
      run_id: 'run-1',
      lease_until: '2026-01-15T10:01:00.000Z',
      expire_at: new Date('2026-01-16T10:00:00.000Z'),
    });
  });

  it('is a record that can be stored', () => {
    expect(Schema.parse(first)).toEqual(first);
  });
});

describe('a request with an idempotency key', () => {
  const mine = (at: Date, hmac = 'hmac-a') => begun('run-2', hmac, at, LEASE_MS);

  it('runs when the key is new', () => {
    expect(judge(null, mine(start), start)).toEqual({ kind: 'run', record: mine(start) });
  });

  it('replays the answer of a run that is done', () => {
    const at = later(3_600_000);
    expect(judge(done, mine(at), at)).toEqual({ kind: 'replay', record: done });
  });

  it('is refused when the key was used for another request, done or running', () => {
    const other = mine(later(1), 'hmac-b');
    expect(judge(done, other, later(1))).toEqual({ kind: 'mismatch' });
    expect(judge(first, other, later(1))).toEqual({ kind: 'mismatch' });
    expect(judge(first, other, later(LEASE_MS + 1))).toEqual({ kind: 'mismatch' });
  });

  it.each([
    [0, 60],
    [100, 60],
    [59_000, 1],
    [59_999, 1],
  ])('waits while another run holds the lease: after %i ms for %i s', (elapsedMs, retryAfterS) => {
    const at = later(elapsedMs);
    expect(judge(first, mine(at), at)).toEqual({ kind: 'running', retryAfterS });
  });

  it('takes over once the lease of a crashed run has passed', () => {
    const at = later(LEASE_MS);
    expect(judge(first, mine(at), at)).toEqual({ kind: 'run', record: mine(at) });
  });

  it('recognises its own record when the acknowledgement of writing it was lost', () => {
    expect(judge(first, first, later(10))).toEqual({ kind: 'run', record: first });
  });

  it('forgets the key after 24 hours, whatever it was used for', () => {
    const at = later(24 * 3_600_000);
    const other = mine(at, 'hmac-b');
    expect(judge(done, other, at)).toEqual({ kind: 'run', record: other });
    expect(judge(done, mine(later(24 * 3_600_000 - 1)), later(24 * 3_600_000 - 1)).kind).toBe(
      'replay',
    );
  });
});
