/*
 * Cloud KMS (google.cloud.kms.v1.KeyManagementService): symmetric software keys, AES-256-GCM.
 *
 * Not imitated, answers UNIMPLEMENTED: asymmetric, MAC, HSM, external and imported keys (also when
 * CreateCryptoKey asks for one), import jobs, RawEncrypt and RawDecrypt, GenerateRandomBytes, IAM
 * policies, EKM. Key material lies unprotected in the embedded cloud's file.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
import { Reloadable } from '../kernel/reloadable.ts';
import { createCryptoKey } from './create-crypto-key.ts';
import { createKeyRing } from './create-key-ring.ts';
import { createCryptoKeyVersion } from './create-version.ts';
import { decrypt } from './decrypt.ts';
import { destroyCryptoKeyVersion, restoreCryptoKeyVersion } from './destroy-version.ts';
import { encrypt } from './encrypt.ts';
import {
  getCryptoKey,
  getCryptoKeyVersion,
  getKeyRing,
  listCryptoKeys,
  listCryptoKeyVersions,
  listKeyRings,
} from './read-keys.ts';
import { KmsState, type StateParts } from './state.ts';
import { updateCryptoKey } from './update-crypto-key.ts';
import { updateCryptoKeyPrimaryVersion } from './update-primary-version.ts';
import { updateCryptoKeyVersion } from './update-version.ts';

export interface Kms {
  readonly services: Service[];
  /** A rotation or destruction is due now. */
  isBusy(): boolean;
  /** Resolves when only future-dated work is left. */
  idle(): Promise<void>;
  /** The names of all keys. */
  keys(): string[];
  /** Takes its state from the journal again, after something else has changed it there. */
  reload(): void;
  close(): void;
}

export function createKms(parts: StateParts): Kms {
  const kept = new Reloadable(() => new KmsState(parts));
  const isBusy = () => kept.current.isBusy;
  return {
    services: [
      {
        package: '@google-cloud/kms',
        name: 'google.cloud.kms.v1.KeyManagementService',
        unary: {
          CreateKeyRing: kept.rpc(createKeyRing),
          GetKeyRing: kept.rpc(getKeyRing),
          ListKeyRings: kept.rpc(listKeyRings),
          CreateCryptoKey: kept.rpc(createCryptoKey),
          GetCryptoKey: kept.rpc(getCryptoKey),
          UpdateCryptoKey: kept.rpc(updateCryptoKey),
          ListCryptoKeys: kept.rpc(listCryptoKeys),
          CreateCryptoKeyVersion: kept.rpc(createCryptoKeyVersion),
          GetCryptoKeyVersion: kept.rpc(getCryptoKeyVersion),
          ListCryptoKeyVersions: kept.rpc(listCryptoKeyVersions),
          UpdateCryptoKeyVersion: kept.rpc(updateCryptoKeyVersion),
          UpdateCryptoKeyPrimaryVersion: kept.rpc(updateCryptoKeyPrimaryVersion),
          DestroyCryptoKeyVersion: kept.rpc(destroyCryptoKeyVersion),
          RestoreCryptoKeyVersion: kept.rpc(restoreCryptoKeyVersion),
          Encrypt: kept.rpc(encrypt),
          Decrypt: kept.rpc(decrypt),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    keys: () => [...kept.current.keys.keys()],
    reload: () => kept.reload(),
    close: () => kept.current.close(),
  };
}
