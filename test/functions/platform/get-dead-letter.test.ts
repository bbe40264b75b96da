import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  type TestPurvey,
  readyBuyer,
  readyProvider,
  startAgent,
  startTestPurvey,
} from '../../support/purvey.ts';
import { absentId, expectNothingLeaked, ok, openRfq, refused } from '../support.ts';

const path = '/api/v1/dead-letters';

let purvey: TestPurvey;
let gone: Awaited<ReturnType<typeof startAgent>>;

beforeAll(async () => {
  purvey = await startTestPurvey();
  gone = await startAgent(() => 410);
  const buyer = await readyBuyer(purvey);
  await readyProvider(purvey, gone.url);
  await openRfq(purvey, buyer);
});
afterAll(async () => {
  await purvey.close();
  await gone.close();
});

describe('reading a dead letter', () => {
  test('answers what the list shows of it, at the cost of one read', async () => {
    const { dead_letters } = await ok(purvey.call('GET', path, { as: 'operator' }));
    const [listed] = dead_letters;
    const { result, usage } = await purvey.cloud.meter.measure(() =>
      purvey.call('GET', `${path}/${listed.dead_letter_id}`, { as: 'operator' }),
    );
    expect(result).toMatchObject({ status: 200, body: listed });
    expect(result.body).toMatchObject({
      status: 'OPEN',
      replayed_at: null,
      replay: { function: 'deliver-rfq', payload: { rfq_id: listed.campaign_id } },
    });
    expect(usage).toMatchObject({ reads: 1, writes: 0, deletes: 0 });
    expectNothingLeaked(purvey, result);
  });

  test('of an id that nothing has is refused', async () => {
    expect(
      await refused(purvey, ['GET', `${path}/${absentId('dl')}`, { as: 'operator' }]),
    ).toMatchObject({ code: 'not_found' });
  });
});
