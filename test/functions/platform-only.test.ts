import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { manifest } from '../../shared/runtime/manifest.ts';
import { type TestPurvey, startAgent, startTestPurvey } from '../support/purvey.ts';
import { absentId, keysOfEachKind, refused } from './support.ts';

const { tasks, pubsub, schedules } = manifest();

let purvey: TestPurvey;
let agent: Awaited<ReturnType<typeof startAgent>>;
let keys: Awaited<ReturnType<typeof keysOfEachKind>>;

beforeAll(async () => {
  purvey = await startTestPurvey();
  agent = await startAgent();
  keys = await keysOfEachKind(purvey, agent.url);
});
afterAll(async () => {
  await purvey.close();
  await agent.close();
});

describe.each(Object.keys({ ...tasks, ...pubsub, ...schedules }))(
  '%s, which only the platform calls',
  (name) => {
    const path = `/_functions/${name}`;
    const body = { rfq_id: absentId('rfq'), page: 0 };
    const audience = () => purvey.config.function_url.replace('{name}', name);
    const tokenOf = (email: string) =>
      purvey.cloud.identity.tokenFor({ email, audience: audience() });
    const withToken = (token: string) =>
      refused(purvey, ['POST', path, { headers: { authorization: `Bearer ${token}` }, body }]);

    test('is no route of the front door', async () => {
      expect(await refused(purvey, ['POST', `/${name}`, { as: 'operator', body }])).toMatchObject({
        code: 'not_found',
      });
    });

    test.each([
      ['nothing', () => undefined],
      ['the operator key', () => 'operator' as const],
      ["a provider's key", () => keys.provider],
      ["an organisation's key", () => keys.org],
      ['a token for another function', () => ({ service: 'tasks', of: 'another-function' })],
    ])('is refused with %s', async (_, as) => {
      expect(await refused(purvey, ['POST', path, { as: as(), body }])).toMatchObject({
        code: 'unauthenticated',
      });
    });

    test('is refused with the identity of another service account', async () => {
      const as = { service: 'stranger', of: name };
      expect(await refused(purvey, ['POST', path, { as, body }])).toMatchObject({
        code: 'forbidden',
      });
    });

    test('is refused with a token that is forged, unsigned or has expired', async () => {
      const token = await tokenOf(purvey.config.task_service_account);
      const [head = '', claims = ''] = token.split('.');
      const encoded = (text: string) => Buffer.from(text).toString('base64url');
      for (const bad of [
        `${head}.${claims}.${encoded('forged')}`,
        `${encoded('{"alg":"none"}')}.${claims}.`,
      ])
        expect(await withToken(bad)).toMatchObject({ code: 'unauthenticated' });
      await purvey.clock.advance(3_600_001);
      expect(await withToken(token)).toMatchObject({ code: 'unauthenticated' });
    });
  },
);
