import type { protos } from '@google-cloud/kms';

/** The messages of google.cloud.kms.v1, from Google's own client. */
export type WireKeyRing = protos.google.cloud.kms.v1.IKeyRing;
export type WireKey = protos.google.cloud.kms.v1.ICryptoKey;
export type WireVersion = protos.google.cloud.kms.v1.ICryptoKeyVersion;

export type CreateKeyRingRequest = protos.google.cloud.kms.v1.ICreateKeyRingRequest;
export type CreateKeyRequest = protos.google.cloud.kms.v1.ICreateCryptoKeyRequest;
export type UpdateKeyRequest = protos.google.cloud.kms.v1.IUpdateCryptoKeyRequest;
export type CreateVersionRequest = protos.google.cloud.kms.v1.ICreateCryptoKeyVersionRequest;
export type UpdateVersionRequest = protos.google.cloud.kms.v1.IUpdateCryptoKeyVersionRequest;
export type UpdatePrimaryRequest = protos.google.cloud.kms.v1.IUpdateCryptoKeyPrimaryVersionRequest;
export type EncryptRequest = protos.google.cloud.kms.v1.IEncryptRequest;
export type EncryptResponse = protos.google.cloud.kms.v1.IEncryptResponse;
export type DecryptRequest = protos.google.cloud.kms.v1.IDecryptRequest;
export type DecryptResponse = protos.google.cloud.kms.v1.IDecryptResponse;

export interface NamedRequest {
  readonly name?: string | null;
}
export interface ListRequest {
  readonly parent?: string | null;
  readonly pageSize?: number | null;
  readonly pageToken?: string | null;
}
