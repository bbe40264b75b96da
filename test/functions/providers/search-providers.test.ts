import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { providers } from '../../../shared/providers/schema.ts';
import { searchTerms } from '../../../shared/providers/search-terms.ts';
import { ref } from '../../../shared/store/collection.ts';
import { set } from '../../../shared/store/decision.ts';
import { aProvider } from '../../shared/examples.ts';
import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';
import { badPages, exhaust, ok, pagedThrough, refused, refusesQueries } from '../support.ts';

let purvey: TestPurvey;

const path = '/v1/providers/search';
const page = (query: string) => ok(purvey.call('GET', `${path}?${query}`));
const namesOf = (found: readonly { name: string }[]) => found.map(({ name }) => name);
const namesIn = async (query: string): Promise<string[]> =>
  namesOf((await page(query)).providers).toSorted();

const examples = [
  ['Kayak', 'Flights and hotels', ['travel.booking', 'travel.search'], 'eu', 0.9, 'TRUSTED'],
  ['Hotelier', 'Hotels in Lisbon', ['travel.booking'], 'eu', 0.6, 'VERIFIED'],
  ['Lawyer', 'Contracts', ['legal.review'], 'us', 0.3, 'UNVERIFIED'],
] as const;

/** Beside them many that every index but the rarest finds: more than one request may read. */
const CROWD = 700;

beforeAll(async () => {
  purvey = await startTestPurvey();
  const stored = [
    ...examples.map(([name, description, capabilities, region, trust_score, trust_tier], i) => ({
      provider_id: `prov_b${i}`,
      name,
      description,
      capabilities: [...capabilities],
      metadata: { region },
      trust_score,
      trust_tier,
      updated_at: `2026-02-0${i + 1}T00:00:00.000Z`,
    })),
    ...Array.from({ length: CROWD }, (_, i) => ({
      provider_id: `prov_a${String(i).padStart(4, '0')}`,
      name: `Crowd ${i}`,
      description: 'One of many',
      capabilities: ['crowd.work'],
      metadata: { region: i === CROWD - 1 ? 'mars' : 'earth' },
      updated_at: '2026-01-01T00:00:00.000Z',
    })),
    { provider_id: 'prov_c', name: 'Suspended', status: 'SUSPENDED' as const },
  ].map((changes) => {
    const provider = aProvider(changes);
    return set(ref(providers, provider.provider_id), {
      ...provider,
      terms: searchTerms(provider),
    });
  });
  for (let at = 0; at < stored.length; at += 250)
    await purvey.services.store.write(stored.slice(at, at + 250));
});
afterAll(() => purvey.close());

describe('searching providers', () => {
  test('answers as the list does, with what existing clients read and nothing private', async () => {
    const found = await page('skill_tags=legal');
    expect(found).toEqual({
      providers: [
        {
          provider_id: 'prov_b2',
          name: 'Lawyer',
          description: 'Contracts',
          endpoint: 'https://agent.expedia.com/a2a',
          status: 'ACTIVE',
          trust_score: 0.3,
          trust_tier: 'UNVERIFIED',
          capabilities: ['legal.review'],
        },
      ],
      total: 1,
      next_cursor: null,
    });
    expect(await ok(purvey.call('GET', '/v1/providers?skill_tags=legal'))).toEqual(found);
  });

  test.each([
    ['skill_tags=Travel', ['Hotelier', 'Kayak']],
    ['skill_tags=search,review', ['Kayak', 'Lawyer']],
    ['skill_tags=travel.booking&text=flights', ['Kayak']],
    ['capability=travel.booking&region=EU&text=hotels', ['Hotelier', 'Kayak']],
    ['text=lisbon%20HOTELS', ['Hotelier']],
    ['text=lisb', []],
    ['region=us', ['Lawyer']],
    ['region=eu&tier=TRUSTED', ['Kayak']],
    ['skill_tags=travel&min_trust=0.6', ['Hotelier', 'Kayak']],
    ['skill_tags=travel&min_trust=0.61', ['Kayak']],
    ['text=suspended', []],
    ['updated_since=2026-02-02T00:00:00Z', ['Hotelier', 'Lawyer']],
    ['updated_since=2026-02-01T00:00:00Z&tier=TRUSTED', ['Kayak']],
    ['updated_since=2026-02-02T00:00:00Z&capability=travel.booking', ['Hotelier']],
    ['updated_since=2026-01-01T00:00:00Z&skill_tags=legal,travel&tier=VERIFIED', ['Hotelier']],
    ['updated_since=2026-02-01T00:00:00Z&text=hotels&min_trust=0.5', ['Hotelier', 'Kayak']],
  ])('%s finds %j', async (query, names) => {
    expect(await namesIn(query)).toEqual(names);
  });

  test('shows the oldest change first with updated_since, page by page', async () => {
    const since = `${path}?updated_since=2026-02-01T00:00:00Z`;
    for (const call of [since, `${since}&min_trust=0.1`]) {
      const found = await pagedThrough(purvey, ['GET', call], 'providers');
      expect(namesOf(found as { name: string }[])).toEqual(['Kayak', 'Hotelier', 'Lawyer']);
    }
  });

  test('finds each once, page by page, also where the index alone does not answer', async () => {
    const query = `${path}?skill_tags=travel,booking,search&min_trust=0.5`;
    const found = await pagedThrough(purvey, ['GET', query], 'providers');
    expect(namesOf(found as { name: string }[])).toEqual(['Kayak', 'Hotelier']);
  });

  test('reads no more than 300 providers for one answer, and goes on from there', async () => {
    const query = 'capability=crowd.work&region=mars';
    const reads: number[] = [];
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const before = purvey.cloud.meter.read().reads;
      const answer: Awaited<ReturnType<typeof page>> = await page(
        cursor === null ? query : `${query}&cursor=${cursor}`,
      );
      reads.push(purvey.cloud.meter.read().reads - before);
      found.push(...namesOf(answer.providers));
      cursor = answer.next_cursor;
    } while (cursor !== null);
    expect(found).toEqual([`Crowd ${CROWD - 1}`]);
    expect(reads).toHaveLength(3);
    // Beside the 300 at most a lease of permits for the open endpoint.
    expect(Math.max(...reads)).toBeLessThanOrEqual(310);
  });

  test('reads a page and a count, however many match', async () => {
    const before = purvey.cloud.meter.read().reads;
    const answer = await page('capability=crowd.work&limit=10');
    expect(answer.total).toBe(CROWD);
    expect(answer.providers).toHaveLength(10);
    expect(purvey.cloud.meter.read().reads - before).toBeLessThanOrEqual(20);
  });

  test('shows the operator the others as well, and answers 403 to everybody else', async () => {
    const others = `${path}?status=SUSPENDED`;
    const { providers: found } = await ok(purvey.call('GET', others, { as: 'operator' }));
    expect(namesOf(found)).toEqual(['Suspended']);
    expect(await refused(purvey, ['GET', others])).toMatchObject({ code: 'forbidden' });
  });

  test('refuses the cursor of a search in another order: 400', async () => {
    const { next_cursor } = await page('limit=1&updated_since=2026-01-01T00:00:00Z');
    expect(await refused(purvey, ['GET', `${path}?cursor=${next_cursor}`])).toMatchObject({
      code: 'invalid_request',
      details: [{ field: 'query.cursor' }],
    });
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path],
    [
      ...badPages,
      ['status=active', 'status', /ACTIVE/],
      ['capability=', 'capability', /empty/],
      ['skill_tags=', 'skill_tags.0', /empty/],
      ['skill_tags=a,,b', 'skill_tags.1', /empty/],
      [`skill_tags=${'a,'.repeat(10)}a`, 'skill_tags', /most 10/],
      [`skill_tags=${'x'.repeat(65)}`, 'skill_tags.0', /most 64/],
      ['skill_tags=a&skill_tags=b', 'skill_tags', /string/],
      ['min_trust=some', 'min_trust', /number/],
      ['min_trust=1.1', 'min_trust', /most 1/],
      ['min_trust=-1', 'min_trust', /least 0/],
      ['tier=FAMOUS', 'tier', /TRUSTED/],
      ['region=', 'region', /empty/],
      ['text=%20!%20', 'text', /word/],
      ['text=a%20b%20c%20d%20e%20f%20g%20h%20i%20j%20k', 'text', /most 10/],
      [`text=${'x'.repeat(201)}`, 'text', /most 200/],
      ['updated_since=yesterday', 'updated_since', /ISO 8601/],
    ],
  );

  test('too often from one address is 429 until the minute ends', async () => {
    await purvey.clock.advance(60_000);
    await exhaust(purvey, 'public_read:127.0.0.1', { limit: 600, windowS: 60 });
    const reply = await refused(purvey, ['GET', path]);
    expect(reply.code).toBe('rate_limited');
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
