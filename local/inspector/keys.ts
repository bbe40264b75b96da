import { toMs } from '../kernel/proto-time.ts';
import type { Kms } from '../kms/server.ts';
import type { WireKey, WireVersion } from '../kms/wire.ts';
import { isoTime, lastPart } from './display.ts';
import { call } from './rpc.ts';

/** Names and versions; what KMS answers to these calls holds no key material. */
export async function listKeys(kms: Kms) {
  const keys = kms.keys().map(async (name) => {
    const key = await call<WireKey>(kms.services, 'GetCryptoKey', { name });
    const { cryptoKeyVersions } = await call<{ cryptoKeyVersions: WireVersion[] }>(
      kms.services,
      'ListCryptoKeyVersions',
      { parent: name },
    );
    return {
      name,
      primary: lastPart(key.primary?.name ?? ''),
      versions: cryptoKeyVersions.map((version) => ({
        number: lastPart(version.name ?? ''),
        state: version.state,
        create_time: isoTime(toMs(version.createTime) ?? 0),
      })),
    };
  });
  return { keys: await Promise.all(keys) };
}
