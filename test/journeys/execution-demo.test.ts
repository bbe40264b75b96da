import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Purvey, startPurvey } from '../../local/purvey.ts';
import { LETTER_FIELDS } from '../../scripts/demo/execution-api.ts';
import type { ExecutionSummary } from '../../scripts/demo/execution-expectations.ts';
import { playExecutionDemo } from '../../scripts/demo/execution-story.ts';
import { WentOtherwise } from '../../scripts/demo/expectations.ts';
import { refusalsIn } from '../../scripts/demo/refusals.ts';
import { DeadLetterPayload } from '../../shared/dead-letters/schema.ts';
import type { ExecutionSettings } from '../../shared/execution/policy.ts';
import { executionSettings } from '../../shared/runtime/settings.ts';

/** On a clock that goes on by itself, as the demo's own instance has. */
const start = (settings?: () => ExecutionSettings): Promise<Purvey> =>
  startPurvey({
    port: 0,
    env: { PURVEY_LOG_LEVEL: 'silent' },
    ...(settings && { executionSettings: settings }),
  });

async function play(
  purvey: Purvey,
): Promise<{ summary: ExecutionSummary; lines: readonly string[] }> {
  const lines: string[] = [];
  const summary = await playExecutionDemo({
    url: purvey.url,
    operatorKey: purvey.operatorKey,
    refuseInProcess: refusalsIn(purvey),
    print: (line) => lines.push(line),
  });
  return { summary, lines };
}

describe('the execution demo', () => {
  let purvey: Purvey;
  let summary: ExecutionSummary;
  let lines: readonly string[];

  beforeAll(async () => {
    purvey = await start();
    ({ summary, lines } = await play(purvey));
  });
  afterAll(() => purvey.close());

  test('shows the attempts of a call that is tried again, with the waits between them', () => {
    const { task, attempts, waitsMs } = summary.retried;
    expect(task).toMatchObject({ state: 'SUCCEEDED', attempts: 3 });
    expect(attempts.map(({ http_status }) => http_status)).toEqual([503, 503, 200]);
    expect(waitsMs).toHaveLength(2);
    expect(
      lines.filter((line) => /attempt [23] .* after a wait of 0\.\d\d s/.test(line)),
    ).toHaveLength(2);
  });

  test('opens the breaker with the fifth failure', () => {
    expect(summary.opened.breakers.map(({ breaker_state }) => breaker_state)).toEqual([
      'closed',
      'closed',
      'closed',
      'closed',
      'open',
    ]);
  });

  test('is refused while it is open, which costs no read and no write', () => {
    expect(summary.refused.inProcess).toMatchObject({
      calls: 1_000,
      refused: 1_000,
      reads: 0,
      writes: 0,
    });
    expect(lines.join('\n')).toContain('1,000 refused');
    expect(summary.refused.attempts).toEqual([]);
  });

  test('recovers by one probe while the others wait', () => {
    const { halfOpen, whileProbing, closed, tasks } = summary.recovered;
    expect(halfOpen.breaker_state).toBe('half_open');
    expect(whileProbing.map(({ state }) => state).toSorted()).toEqual([
      'RUNNING',
      'WAITING',
      'WAITING',
      'WAITING',
      'WAITING',
    ]);
    expect(closed.breaker_state).toBe('closed');
    for (const task of tasks) expect(task).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
  });

  test('uses up the quota that is configured, and says when it resets', () => {
    const rule = executionSettings().quotas.find(({ provider }) => provider === 'synthetic');
    expect(summary.exhausted.limit).toBe(rule?.limits.minute);
    expect(summary.exhausted.answered).toHaveLength(summary.exhausted.limit);
    const reset = summary.exhausted.quota?.window_end.slice(11, 19);
    expect(lines.join('\n')).toContain(`resets at ${reset}`);
  });

  test('shows the thirteen fields of a dead letter, and its replay', () => {
    expect([...LETTER_FIELDS].toSorted()).toEqual(Object.keys(DeadLetterPayload.shape).toSorted());
    for (const field of LETTER_FIELDS)
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^ +${field} +\\S`)));
    const { letterAfter, nextLetter } = summary.buried;
    expect(letterAfter.status).toBe('REPLAYED');
    expect(nextLetter.status).toBe('OPEN');
  });

  test('has an operator open the breaker of a provider that works, and release it', () => {
    const { refused, released, resumed } = summary.forced;
    expect(refused.last_failure?.reason_code).toBe('circuit_open');
    expect(released.breaker_state).toBe('closed');
    expect(resumed.state).toBe('SUCCEEDED');
  });

  test('accounts for every attempt in metrics and health', () => {
    const { attempts, health } = summary.recorded;
    const succeeded = attempts.filter(({ outcome }) => outcome === 'success');
    expect(health.success_rate_1h).toBe(succeeded.length / attempts.length);
    expect(lines.join('\n')).toContain(`metrics: ${attempts.length} attempts`);
  });

  test('moves the clock only where a line says so', () => {
    const movedS = lines
      .map((line) => /» .* forward by ([\d.]+) s/.exec(line)?.[1])
      .reduce((sum, seconds) => sum + Number(seconds ?? 0), 0);
    expect(movedS).toBeGreaterThan(120);
    expect(summary.aheadMs / 1_000).toBeCloseTo(movedS, 0);
  });

  test('shows no secret, and no colour where there is no terminal', () => {
    const told = lines.join('\n');
    expect(told).toContain('pv_org_…');
    expect(told).not.toMatch(/pv_org_[A-Za-z0-9]/);
    expect(told).not.toContain(purvey.operatorKey);
    expect(told).not.toContain('\u001b');
  });

  test('can be played again on the same instance', async () => {
    const { summary: again } = await play(purvey);
    expect(again.recorded.attempts).toHaveLength(summary.recorded.attempts.length);
  });
});

describe('the execution demo on an instance that does not keep the promises', () => {
  test('ends with the first fact that does not hold', async () => {
    const settings = executionSettings();
    const { defaults } = settings;
    const breaker = { ...defaults.breaker, failure_threshold: 6 };
    const purvey = await start(() => ({ ...settings, defaults: { ...defaults, breaker } }));
    try {
      const played = play(purvey);
      await expect(played).rejects.toThrow(WentOtherwise);
      await expect(played).rejects.toThrow('the breaker opens at the fifth failure');
    } finally {
      await purvey.close();
    }
  });
});
