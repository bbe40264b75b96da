import { afterAll, beforeAll, expect, test } from 'vitest';

import { type TestPurvey, startTestPurvey } from '../../support/purvey.ts';

let purvey: TestPurvey;
beforeAll(async () => {
  purvey = await startTestPurvey();
});
afterAll(() => purvey.close());

test('answers ok to anybody, and costs nothing', async () => {
  const { result, usage } = await purvey.cloud.meter.measure(() => purvey.call('GET', '/health'));
  expect(result.status).toBe(200);
  expect(result.body).toEqual({ status: 'ok' });
  expect(usage).toMatchObject({ reads: 0, writes: 0, deletes: 0 });
});
