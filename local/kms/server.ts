/*
 * Cloud KMS (google.cloud.kms.v1.KeyManagementService): symmetric software keys, AES-256-GCM.
 *
 * Not imitated, answers UNIMPLEMENTED: asymmetric, MAC, HSM, external and imported keys (also when
 * CreateCryptoKey asks for one), import jobs, RawEncrypt and RawDecrypt, GenerateRandomBytes, IAM
 * policies, EKM. Key material lies unprotected in the embedded cloud's file.
 */
import { untilQuiet } from '../kernel/activity.ts';
import type { Service } from '../kernel/grpc.ts';
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
  close(): void;
}

export function createKms(parts: StateParts): Kms {
  const state = new KmsState(parts);
  const isBusy = () => state.isBusy;
  return {
    services: [
      {
        package: '@google-cloud/kms',
        name: 'google.cloud.kms.v1.KeyManagementService',
        unary: {
          CreateKeyRing: createKeyRing(state),
          GetKeyRing: getKeyRing(state),
          ListKeyRings: listKeyRings(state),
          CreateCryptoKey: createCryptoKey(state),
          GetCryptoKey: getCryptoKey(state),
          UpdateCryptoKey: updateCryptoKey(state),
          ListCryptoKeys: listCryptoKeys(state),
          CreateCryptoKeyVersion: createCryptoKeyVersion(state),
          GetCryptoKeyVersion: getCryptoKeyVersion(state),
          ListCryptoKeyVersions: listCryptoKeyVersions(state),
          UpdateCryptoKeyVersion: updateCryptoKeyVersion(state),
          UpdateCryptoKeyPrimaryVersion: updateCryptoKeyPrimaryVersion(state),
          DestroyCryptoKeyVersion: destroyCryptoKeyVersion(state),
          RestoreCryptoKeyVersion: restoreCryptoKeyVersion(state),
          Encrypt: encrypt(state),
          Decrypt: decrypt(state),
        },
      },
    ],
    isBusy,
    idle: () => untilQuiet(isBusy),
    keys: () => [...state.keys.keys()],
    close: () => state.close(),
  };
}
