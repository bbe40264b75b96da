import { describe, expect, it } from 'vitest';

/** Set by scripts/test-emulators.ts. */
const underTest = ['FIRESTORE_EMULATOR_UNDER_TEST', 'PUBSUB_EMULATOR_UNDER_TEST']
  .map((variable) => process.env[variable])
  .filter((address) => address !== undefined);

describe.skipIf(underTest.length === 0)('the emulators under test', () => {
  it.each(underTest)('answer at %s', async (address) => {
    expect((await fetch(`http://${address}/`)).status).toBe(200);
  });

  it('are not forced upon every client, or there were nothing to compare them with', () => {
    expect(process.env).not.toHaveProperty('FIRESTORE_EMULATOR_HOST');
    expect(process.env).not.toHaveProperty('PUBSUB_EMULATOR_HOST');
  });
});
