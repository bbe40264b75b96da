import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { crc32c } from '../../../local/kms/crc32c.ts';
import { LOCATION, startTestCloud, type TestCloud, temporaryFile } from '../support/cloud.ts';

const DAY_MS = 24 * 3_600_000;
const RING = `${LOCATION}/keyRings/ring`;
const KEY = `${RING}/cryptoKeys/key`;
const version = (number: number) => `${KEY}/cryptoKeyVersions/${number}`;
const INVALID_ARGUMENT = { code: 3 };
const FAILED_PRECONDITION = { code: 9 };

let test: TestCloud;
beforeEach(async () => {
  test = await startTestCloud(undefined, { file: temporaryFile() });
  await test.google.kms.createKeyRing({ parent: LOCATION, keyRingId: 'ring', keyRing: {} });
  await test.google.kms.createCryptoKey({
    parent: RING,
    cryptoKeyId: 'key',
    cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
  });
});
afterEach(() => test.stop());

const encrypt = async (text: string, aad = '') => {
  const [answer] = await test.google.kms.encrypt({
    name: KEY,
    plaintext: Buffer.from(text),
    additionalAuthenticatedData: Buffer.from(aad),
  });
  return answer.ciphertext as Buffer;
};
const decrypt = async (ciphertext: Buffer, aad = '', name = KEY) => {
  const [answer] = await test.google.kms.decrypt({
    name,
    ciphertext,
    additionalAuthenticatedData: Buffer.from(aad),
  });
  return answer;
};

describe('encryption', () => {
  it('is undone by decryption with the same additional data', async () => {
    const answer = await decrypt(await encrypt('secret', 'tenant-1'), 'tenant-1');
    expect(answer.plaintext?.toString()).toBe('secret');
    expect(answer.usedPrimary).toBe(true);
    expect(Number(answer.plaintextCrc32c?.value)).toBe(crc32c(Buffer.from('secret')));
  });

  it('never gives the same ciphertext twice', async () => {
    expect(await encrypt('secret')).not.toEqual(await encrypt('secret'));
  });

  it('works on an empty text', async () => {
    expect((await decrypt(await encrypt(''))).plaintext?.toString()).toBe('');
  });

  it('checks the checksums it is sent, and says so', async () => {
    const plaintext = Buffer.from('secret');
    const [answer] = await test.google.kms.encrypt({
      name: KEY,
      plaintext,
      plaintextCrc32c: { value: crc32c(plaintext) },
    });
    expect(answer.verifiedPlaintextCrc32c).toBe(true);
    expect(answer.verifiedAdditionalAuthenticatedDataCrc32c).toBe(false);
    expect(Number(answer.ciphertextCrc32c?.value)).toBe(crc32c(answer.ciphertext as Buffer));
    const wrong = { value: crc32c(plaintext) + 1 };
    await expect(
      test.google.kms.encrypt({ name: KEY, plaintext, plaintextCrc32c: wrong }),
    ).rejects.toMatchObject(INVALID_ARGUMENT);
    await expect(
      test.google.kms.decrypt({
        name: KEY,
        ciphertext: answer.ciphertext as Buffer,
        ciphertextCrc32c: wrong,
      }),
    ).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('checks the checksum of the additional data in both directions', async () => {
    const aad = Buffer.from('tenant-1');
    const good = { value: crc32c(aad) };
    const wrong = { value: crc32c(aad) + 1 };
    const request = {
      name: KEY,
      plaintext: Buffer.from('secret'),
      additionalAuthenticatedData: aad,
    };
    const [answer] = await test.google.kms.encrypt({
      ...request,
      additionalAuthenticatedDataCrc32c: good,
    });
    expect(answer.verifiedAdditionalAuthenticatedDataCrc32c).toBe(true);
    await expect(
      test.google.kms.encrypt({ ...request, additionalAuthenticatedDataCrc32c: wrong }),
    ).rejects.toMatchObject(INVALID_ARGUMENT);
    const sealed = {
      name: KEY,
      ciphertext: answer.ciphertext as Buffer,
      additionalAuthenticatedData: aad,
    };
    await test.google.kms.decrypt({ ...sealed, additionalAuthenticatedDataCrc32c: good });
    await expect(
      test.google.kms.decrypt({ ...sealed, additionalAuthenticatedDataCrc32c: wrong }),
    ).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('computes CRC32C as specified', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('takes 64 KiB and no more', async () => {
    const most = 'x'.repeat(64 * 1024);
    expect((await decrypt(await encrypt(most, most), most)).plaintext?.toString()).toBe(most);
    await expect(encrypt(`${most}x`)).rejects.toMatchObject(INVALID_ARGUMENT);
    await expect(encrypt('', `${most}x`)).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('is counted per call', async () => {
    await decrypt(await encrypt('secret'));
    expect(test.cloud.meter.read().kmsOperations).toBe(2);
  });
});

describe('a decrypt', () => {
  it('with another AAD fails', async () => {
    const ciphertext = await encrypt('secret', 'tenant-1');
    await expect(decrypt(ciphertext, 'tenant-2')).rejects.toMatchObject(INVALID_ARGUMENT);
    await expect(decrypt(ciphertext)).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('of a tampered text fails, wherever a bit is flipped', async () => {
    const ciphertext = await encrypt('secret');
    for (let at = 0; at < ciphertext.length; at++) {
      const tampered = Buffer.from(ciphertext);
      tampered[at] = (tampered[at] ?? 0) ^ 1;
      await expect(decrypt(tampered)).rejects.toMatchObject(INVALID_ARGUMENT);
    }
    await expect(decrypt(ciphertext.subarray(0, 20))).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('with another key fails', async () => {
    const cryptoKey = { purpose: 'ENCRYPT_DECRYPT' as const };
    await test.google.kms.createCryptoKey({ parent: RING, cryptoKeyId: 'other', cryptoKey });
    const ciphertext = await encrypt('secret');
    const other = `${RING}/cryptoKeys/other`;
    await expect(decrypt(ciphertext, '', other)).rejects.toMatchObject(INVALID_ARGUMENT);
    const missing = `${RING}/cryptoKeys/missing`;
    await expect(decrypt(ciphertext, '', missing)).rejects.toMatchObject({ code: 5 });
  });

  it('still works after a restart', async () => {
    const ciphertext = await encrypt('secret');
    await test.restart();
    expect((await decrypt(ciphertext)).plaintext?.toString()).toBe('secret');
  });
});

describe('key versions', () => {
  const rotate = async () => {
    await test.google.kms.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    const [key] = await test.google.kms.updateCryptoKeyPrimaryVersion({
      name: KEY,
      cryptoKeyVersionId: '2',
    });
    return key;
  };

  it('rotate without losing what older ones encrypted', async () => {
    const old = await encrypt('old');
    expect((await rotate()).primary?.name).toBe(version(2));
    const answer = await decrypt(old);
    expect(answer.plaintext?.toString()).toBe('old');
    expect(answer.usedPrimary).toBe(false);
    expect((await decrypt(await encrypt('new'))).usedPrimary).toBe(true);
  });

  it('neither encrypt nor decrypt while disabled', async () => {
    const ciphertext = await encrypt('secret');
    const set = (state: 'ENABLED' | 'DISABLED') =>
      test.google.kms.updateCryptoKeyVersion({
        cryptoKeyVersion: { name: version(1), state },
        updateMask: { paths: ['state'] },
      });
    await set('DISABLED');
    await expect(decrypt(ciphertext)).rejects.toMatchObject(FAILED_PRECONDITION);
    await expect(encrypt('x')).rejects.toMatchObject(FAILED_PRECONDITION);
    await set('ENABLED');
    expect((await decrypt(ciphertext)).plaintext?.toString()).toBe('secret');
  });

  it('can be restored until their destruction, and never after', async () => {
    const ciphertext = await encrypt('secret');
    await rotate();
    const name = version(1);
    const [scheduled] = await test.google.kms.destroyCryptoKeyVersion({ name });
    expect(scheduled.state).toBe('DESTROY_SCHEDULED');
    await expect(decrypt(ciphertext)).rejects.toMatchObject(FAILED_PRECONDITION);
    await test.pass(29 * DAY_MS);
    await test.google.kms.restoreCryptoKeyVersion({ name });
    await test.google.kms.destroyCryptoKeyVersion({ name });
    await test.pass(30 * DAY_MS);
    expect((await test.google.kms.getCryptoKeyVersion({ name }))[0].state).toBe('DESTROYED');
    await expect(test.google.kms.restoreCryptoKeyVersion({ name })).rejects.toMatchObject(
      FAILED_PRECONDITION,
    );
  });

  it('are destroyed on time even if nothing runs then', async () => {
    await rotate();
    await test.google.kms.destroyCryptoKeyVersion({ name: version(1) });
    await test.google.kms.close();
    await test.cloud.close();
    await test.clock.advance(31 * DAY_MS);
    await test.restart();
    const [gone] = await test.google.kms.getCryptoKeyVersion({ name: version(1) });
    expect(gone.state).toBe('DESTROYED');
  });

  it('encrypt no more once the primary one is to be destroyed, until another is primary', async () => {
    const ciphertext = await encrypt('secret');
    await test.google.kms.destroyCryptoKeyVersion({ name: version(1) });
    await expect(encrypt('x')).rejects.toMatchObject(FAILED_PRECONDITION);
    await rotate();
    expect((await decrypt(await encrypt('x'))).plaintext?.toString()).toBe('x');
    await expect(decrypt(ciphertext)).rejects.toMatchObject(FAILED_PRECONDITION);
  });

  it('are disabled when restored, and usable once enabled', async () => {
    const ciphertext = await encrypt('secret');
    await test.google.kms.destroyCryptoKeyVersion({ name: version(1) });
    await test.google.kms.restoreCryptoKeyVersion({ name: version(1) });
    await expect(decrypt(ciphertext)).rejects.toMatchObject(FAILED_PRECONDITION);
    await test.google.kms.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: version(1), state: 'ENABLED' },
      updateMask: { paths: ['state'] },
    });
    expect((await decrypt(ciphertext)).plaintext?.toString()).toBe('secret');
  });

  it('become primary only while enabled', async () => {
    await test.google.kms.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    await test.google.kms.destroyCryptoKeyVersion({ name: version(2) });
    const promote = test.google.kms.updateCryptoKeyPrimaryVersion({
      name: KEY,
      cryptoKeyVersionId: '2',
    });
    await expect(promote).rejects.toMatchObject(FAILED_PRECONDITION);
  });

  it('are neither enabled nor disabled once destruction is scheduled', async () => {
    await test.google.kms.destroyCryptoKeyVersion({ name: version(1) });
    const enable = test.google.kms.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: version(1), state: 'ENABLED' },
      updateMask: { paths: ['state'] },
    });
    await expect(enable).rejects.toMatchObject(FAILED_PRECONDITION);
  });

  it('are made once for all rotations missed while nothing ran', async () => {
    const nextRotationTime = { seconds: test.clock.nowMs() / 1000 + 24 * 3600 };
    await test.google.kms.updateCryptoKey({
      cryptoKey: { name: KEY, rotationPeriod: { seconds: 10 * 24 * 3600 }, nextRotationTime },
      updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
    });
    await test.cloud.close();
    await test.clock.advance(36 * DAY_MS);
    await test.restart();
    const [key] = await test.google.kms.getCryptoKey({ name: KEY });
    expect(key.primary?.name).toBe(version(2));
    const nextMs = Number(key.nextRotationTime?.seconds) * 1000;
    expect(nextMs - test.clock.nowMs()).toBe(5 * DAY_MS);
  });

  it.each([
    ['a period under a day', { rotationPeriod: { seconds: 86_399 } }],
    ['a period without a next time', { rotationPeriod: { seconds: 86_400 } }],
  ])('are not made by %s', async (_, rotation) => {
    const update = test.google.kms.updateCryptoKey({
      cryptoKey: { name: KEY, ...rotation },
      updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
    });
    await expect(update).rejects.toMatchObject(INVALID_ARGUMENT);
  });

  it('are made by themselves at the rotation period', async () => {
    const nextRotationTime = { seconds: test.clock.nowMs() / 1000 + 24 * 3600 };
    await test.google.kms.updateCryptoKey({
      cryptoKey: { name: KEY, rotationPeriod: { seconds: 90 * 24 * 3600 }, nextRotationTime },
      updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
    });
    await test.pass(DAY_MS);
    expect((await test.google.kms.getCryptoKey({ name: KEY }))[0].primary?.name).toBe(version(2));
    await test.pass(90 * DAY_MS);
    const [versions] = await test.google.kms.listCryptoKeyVersions({ parent: KEY });
    expect(versions).toHaveLength(3);
  });
});

describe('rings and keys', () => {
  it('are made once, found and listed', async () => {
    const again = test.google.kms.createKeyRing({
      parent: LOCATION,
      keyRingId: 'ring',
      keyRing: {},
    });
    await expect(again).rejects.toMatchObject({ code: 6 });
    expect((await test.google.kms.getKeyRing({ name: RING }))[0].name).toBe(RING);
    const [rings] = await test.google.kms.listKeyRings({ parent: LOCATION });
    const [keys] = await test.google.kms.listCryptoKeys({ parent: RING });
    expect([rings.map((ring) => ring.name), keys.map((key) => key.name)]).toEqual([[RING], [KEY]]);
  });

  it('of a kind that is not imitated are refused', async () => {
    const mac = test.google.kms.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'mac',
      cryptoKey: { purpose: 'MAC' },
    });
    await expect(mac).rejects.toMatchObject({ code: 12 });
  });
});
