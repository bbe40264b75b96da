import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createClients } from '../../shared/google/clients.ts';
import { type Ground, type Instance, openGround } from './support/ground.ts';

let ground: Ground;
let services: Instance;
beforeAll(async () => {
  ground = await openGround();
  services = ground.instance();
});
afterAll(() => ground.close());

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

// First, while there is no data key yet.
describe('the data key', () => {
  it('is made once, however many instances want it at once', async () => {
    const instances = [services, ground.instance(), ground.instance()];
    const { result: sealed } = await ground.cloud.meter.measure(() =>
      Promise.all(instances.map(({ vault }, i) => vault.seal(`secret ${i}`, 'owner'))),
    );
    const fresh = ground.instance();
    for (const [i, text] of sealed.entries())
      expect(await fresh.vault.open(text, 'owner')).toBe(`secret ${i}`);
    const clients = createClients(ground.config);
    const stored = await (await clients.firestore()).collection('data_keys').get();
    await clients.close();
    expect(stored.size).toBe(1);
  });

  it('is stored wrapped: without KMS what is stored opens nothing', async () => {
    const clients = createClients(ground.config);
    const [document] = (await (await clients.firestore()).collection('data_keys').get()).docs;
    await clients.close();
    const wrapped = Buffer.from(String(document?.get('wrapped')), 'base64');
    expect(wrapped.length).toBeGreaterThan(32);
    const withheld = ground.cloud.faults.inject({
      rpc: 'Decrypt',
      times: Infinity,
      action: { kind: 'fail', code: 'PERMISSION_DENIED' },
    });
    const sealed = await services.vault.seal(SECRET, 'owner');
    const stranger = ground.instance();
    await expect(stranger.vault.open(sealed, 'owner')).rejects.toThrow('PERMISSION_DENIED');
    // The refusal is not remembered: once KMS answers, so does the vault.
    withheld();
    expect(await stranger.vault.open(sealed, 'owner')).toBe(SECRET);
  });

  it('costs one KMS operation per instance and five minutes', async () => {
    const instance = ground.instance();
    const sealed = await services.vault.seal(SECRET, 'owner');
    const open = () => instance.vault.open(sealed, 'owner');
    const kmsOperations = async (work: () => Promise<unknown>) =>
      (await ground.cloud.meter.measure(work)).usage.kmsOperations;

    expect(await kmsOperations(() => Promise.all([open(), open(), open()]))).toBe(1);
    await ground.clock.advance(5 * 60_000 - 1);
    expect(await kmsOperations(open)).toBe(0);
    await ground.clock.advance(1);
    expect(await kmsOperations(() => Promise.all([open(), open()]))).toBe(1);
    expect(await kmsOperations(open)).toBe(0);
  });
});

describe('a sealed secret', () => {
  it('opens for its owner, in any instance', async () => {
    const sealed = await services.vault.seal(SECRET, 'sub_1');
    expect(await services.vault.open(sealed, 'sub_1')).toBe(SECRET);
    expect(await ground.instance().vault.open(sealed, 'sub_1')).toBe(SECRET);
  });

  it.each(['', 'zwölf ✓', 'x'.repeat(10_000)])('may be any text', async (text) => {
    expect(await services.vault.open(await services.vault.seal(text, 'a'), 'a')).toBe(text);
  });

  it("does not open for another owner: one's secret cannot be passed off as another's", async () => {
    const sealed = await services.vault.seal(SECRET, 'sub_1');
    await expect(services.vault.open(sealed, 'sub_2')).rejects.toThrow(Error);
    await expect(services.vault.open(sealed, '')).rejects.toThrow(Error);
  });

  it('shows nothing of itself, not even that it is the same as another', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => services.vault.seal(SECRET, 'sub_1')));
    expect(one).not.toBe(two);
    expect(Buffer.from(one?.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain(
      'whsec_',
    );
  });

  it('does not open when a byte of it has changed', async () => {
    const sealed = await services.vault.seal(SECRET, 'sub_1');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (const i of [0, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ 1;
      const text = `v1.${changed.toString('base64url')}`;
      await expect(services.vault.open(text, 'sub_1')).rejects.toThrow(Error);
    }
  });

  it.each(['', 'v1.', 'v2.AAAA', 'AAAA', 'v1.AAAA'])(
    'is told apart from what is none: %j',
    async (text) => {
      await expect(services.vault.open(text, 'sub_1')).rejects.toThrow(Error);
    },
  );
});
