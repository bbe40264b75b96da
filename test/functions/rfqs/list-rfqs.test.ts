import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestPurvey, readyBuyer, rfqBody, startTestPurvey } from '../../support/purvey.ts';
import { badPages, ok, pagedThrough, refused, refusesQueries } from '../support.ts';

const path = '/v1/rfqs';

let purvey: TestPurvey;
let buyer: { slug: string; key: string };
let other: { slug: string; key: string };
/** Oldest first. */
const own: string[] = [];
let theirs: string;

const idsOf = (rfqs: unknown[]) => (rfqs as { rfq_id: string }[]).map(({ rfq_id }) => rfq_id);

beforeAll(async () => {
  purvey = await startTestPurvey();
  buyer = await readyBuyer(purvey);
  other = await readyBuyer(purvey, 'other_buyer');
  const open = async (key: string) => {
    const { rfq_id } = await ok(
      purvey.call('POST', path, { as: { org: key }, body: rfqBody(purvey) }),
    );
    return rfq_id as string;
  };
  for (const ms of [0, 1_000, 1_000]) {
    await purvey.clock.advance(ms);
    own.push(await open(buyer.key));
  }
  theirs = await open(other.key);
  await purvey.settle();
});
afterAll(() => purvey.close());

describe('listing RFQs', () => {
  test('shows a buyer its own, newest first', async () => {
    const reply = await purvey.call('GET', path, { as: { org: buyer.key } });
    expect(reply.status).toBe(200);
    expect(idsOf(reply.body.rfqs)).toEqual(own.toReversed());
    expect(reply.body.next_cursor).toBeNull();
    const [newest] = reply.body.rfqs;
    expect(newest).toMatchObject({
      org_slug: buyer.slug,
      status: 'OPEN',
      category: 'travel.booking',
      budget: { max_price: '500', currency: 'USD' },
      audit_root: expect.any(String),
    });
    expect(newest).not.toHaveProperty('counts');
    expect(newest).not.toHaveProperty('plan');
  });

  test("shows the operator everybody's, or one buyer's", async () => {
    const all = await ok(purvey.call('GET', path, { as: 'operator' }));
    expect(idsOf(all.rfqs).toSorted()).toEqual([...own, theirs].toSorted());
    const some = await ok(purvey.call('GET', `${path}?org_slug=${other.slug}`, { as: 'operator' }));
    expect(idsOf(some.rfqs)).toEqual([theirs]);
  });

  test('pages through them in order, each once, RFQs of one millisecond too', async () => {
    const twin = await ok(
      purvey.call('POST', path, { as: { org: buyer.key }, body: rfqBody(purvey) }),
    );
    await purvey.settle();
    const listed = idsOf(
      await pagedThrough(purvey, ['GET', path, { as: { org: buyer.key } }], 'rfqs'),
    );
    const [oldest, second, third] = own;
    expect(listed.slice(0, 2).toSorted()).toEqual([third ?? '', twin.rfq_id as string].toSorted());
    expect(listed.slice(2)).toEqual([second, oldest]);
  });

  test('reads what it lists, and writes nothing', async () => {
    const { usage } = await purvey.cloud.meter.measure(() =>
      ok(purvey.call('GET', `${path}?limit=2`, { as: { org: buyer.key } })),
    );
    expect(usage).toMatchObject({ reads: 3, writes: 0 });
  });

  test('refuses to a buyer the organisation of another, and one that there is not, alike', async () => {
    for (const org_slug of [other.slug, 'no_such_org'])
      expect(
        await refused(purvey, ['GET', `${path}?org_slug=${org_slug}`, { as: { org: buyer.key } }]),
      ).toMatchObject({
        code: 'invalid_request',
        details: [
          { field: 'query.org_slug', reason: expect.stringMatching(/not this key's organisation/) },
        ],
      });
    const named = await purvey.call('GET', `${path}?org_slug=${buyer.slug}`, {
      as: { org: buyer.key },
    });
    expect(named.status).toBe(200);
  });

  refusesQueries(
    () => purvey,
    () => ['GET', path, { as: { org: buyer.key } }],
    [...badPages, ['org_slug=Bad', 'org_slug', /3 to 40/]],
  );
});
