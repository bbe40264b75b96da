import '../google/support/quick-retries.ts';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AppError } from '../../shared/errors.ts';
import { takePermit } from '../../shared/runtime/rate-limit.ts';
import type { Services } from '../../shared/runtime/services.ts';
import { type Ground, openGround } from '../google/support/ground.ts';
import { type TestPurvey, startTestPurvey } from '../support/purvey.ts';
import { serve } from './support/http-server.ts';

const WINDOW_S = 60;

describe('permits', () => {
  let ground: Ground;
  let hosts: [Services, Services];
  beforeAll(async () => {
    ground = await openGround();
    hosts = [ground.instance(), ground.instance()];
  });
  afterAll(() => ground.close());

  const take = (host: Services, bucket: string, limit: number) =>
    takePermit(host, bucket, limit, WINDOW_S).then(
      () => 'taken',
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
  const takeMany = async (host: Services, bucket: string, limit: number, times: number) => {
    const results = await Promise.all(
      Array.from({ length: times }, () => take(host, bucket, limit)),
    );
    expect(results.filter((result) => !['taken', 'rate_limited'].includes(result))).toEqual([]);
    return results.filter((result) => result === 'taken').length;
  };

  it.each([1, 7, 30, 100])(
    'are never more than the limit of %i, over two hosts that share the store',
    async (limit) => {
      const bucket = `shared-${limit}`;
      const [one, two] = await Promise.all(
        hosts.map((host) => takeMany(host, bucket, limit, limit + 5)),
      );
      expect((one ?? 0) + (two ?? 0)).toBe(limit);
      for (const host of hosts) expect(await take(host, bucket, limit)).toBe('rate_limited');
    },
  );

  it('are leased in blocks of a tenth: one transaction each, the rest from memory', async () => {
    const { usage } = await ground.cloud.meter.measure(() => takeMany(hosts[0], 'blocks', 100, 20));
    expect(usage).toMatchObject({ reads: 2, writes: 2, rpcs: { Commit: 2 } });
  });

  it('that nobody asked for are left to other hosts, however many ask at once', async () => {
    expect(await takeMany(hosts[0], 'fair', 100, 10)).toBe(10);
    expect(await takeMany(hosts[1], 'fair', 100, 95)).toBe(90);
  });

  it('of one bucket are not taken from another', async () => {
    expect(await takeMany(hosts[0], 'left', 1, 2)).toBe(1);
    expect(await takeMany(hosts[0], 'right', 1, 2)).toBe(1);
  });

  it('come back with the next window, and a refusal says when that is', async () => {
    await ground.clock.advance(WINDOW_S * 1_000 - (ground.clock.nowMs() % (WINDOW_S * 1_000)));
    expect(await takeMany(hosts[0], 'window', 5, 6)).toBe(5);
    await ground.clock.advance(17_500);
    await expect(takePermit(hosts[0], 'window', 5, WINDOW_S)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterS: 43,
    });
    await ground.clock.advance(42_499);
    expect(await take(hosts[1], 'window', 5)).toBe('rate_limited');
    await ground.clock.advance(1);
    expect(await takeMany(hosts[0], 'window', 5, 6)).toBe(5);
  });

  it('are not granted while the store is out of reach, and are again once it is back', async () => {
    const withdraw = ground.cloud.faults.inject({
      rpc: 'BatchGetDocuments',
      times: Infinity,
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    await expect(takePermit(hosts[0], 'outage', 5, WINDOW_S)).rejects.toThrow('PERMISSION_DENIED');
    withdraw();
    expect(await take(hosts[0], 'outage', 5)).toBe('taken');
  });
});

describe('an open endpoint', () => {
  let purvey: TestPurvey;
  beforeAll(async () => {
    purvey = await startTestPurvey();
  });
  afterAll(() => purvey.close());

  /** Uses up what one address may ask in this window, as other hosts would. */
  async function useUp(limit: 'public_read' | 'registration'): Promise<void> {
    const { per_address: perAddress, window_s: windowS } = purvey.config.limits[limit];
    const bucket = `${limit}:127.0.0.1`;
    const takeOne = () => takePermit(purvey.services, bucket, perAddress, windowS);
    await expect(
      (async () => {
        for (;;) await takeOne();
      })(),
    ).rejects.toMatchObject({ code: 'rate_limited' });
  }

  it('answers 429 with Retry-After beyond its limit, in every host, until the window ends', async () => {
    await useUp('public_read');
    for (const restart of [false, true]) {
      if (restart) await purvey.restartFunctions();
      const refused = await purvey.call('GET', '/v1/providers');
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(refused.body.error.code).toBe('rate_limited');
    }
    await purvey.clock.advance(60_000);
    expect((await purvey.call('GET', '/v1/providers')).status).toBe(200);
  });

  it('answers those who prove who they are all the same', async () => {
    await useUp('public_read');
    const asOperator = await purvey.call('GET', '/v1/providers', { as: 'operator' });
    expect(asOperator.status).toBe(200);
  });

  it('refuses a registration before its endpoint is called', async () => {
    let probes = 0;
    const endpoint = await serve((_req, res) => void (probes++, res.end()));
    const body = { name: 'One Too Many', endpoint };
    await useUp('registration');
    const refused = await purvey.call('POST', '/v1/providers', { body });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(probes).toBe(0);
  });

  it('leaves health without a limit', async () => {
    await useUp('public_read');
    expect((await purvey.call('GET', '/health')).status).toBe(200);
  });
});
