import { pageOf } from '../kernel/page.ts';
import { fromMs } from '../kernel/proto-time.ts';
import { keyToWire, versionName, versionToWire } from './key.ts';
import type { KeyRing, KmsState } from './state.ts';
import type { ListRequest, NamedRequest } from './wire.ts';

const PAGE_SIZE_MAX = 1000;

const ringToWire = (ring: KeyRing) => ({ name: ring.name, createTime: fromMs(ring.createMs) });

export const getKeyRing = (state: KmsState) => (request: NamedRequest) =>
  ringToWire(state.ring(request.name));

export const getCryptoKey = (state: KmsState) => (request: NamedRequest) =>
  keyToWire(state.key(request.name));

export const getCryptoKeyVersion = (state: KmsState) => (request: NamedRequest) => {
  const { key, version } = state.version(request.name);
  return versionToWire(key, version);
};

export const listKeyRings = (state: KmsState) => (request: ListRequest) => {
  const prefix = `${request.parent ?? ''}/keyRings/`;
  const rings = [...state.rings.values()].filter((ring) => ring.name.startsWith(prefix));
  const { items, nextPageToken } = pageOf(rings, request, PAGE_SIZE_MAX);
  return { keyRings: items.map(ringToWire), nextPageToken, totalSize: rings.length };
};

export const listCryptoKeys = (state: KmsState) => (request: ListRequest) => {
  const prefix = `${state.ring(request.parent).name}/cryptoKeys/`;
  const keys = [...state.keys.values()].filter((key) => key.name.startsWith(prefix));
  const { items, nextPageToken } = pageOf(keys, request, PAGE_SIZE_MAX);
  return { cryptoKeys: items.map(keyToWire), nextPageToken, totalSize: keys.length };
};

export const listCryptoKeyVersions = (state: KmsState) => (request: ListRequest) => {
  const key = state.key(request.parent);
  const named = key.versions.map((version) => ({ name: versionName(key, version), version }));
  const { items, nextPageToken } = pageOf(named, request, PAGE_SIZE_MAX);
  return {
    cryptoKeyVersions: items.map(({ version }) => versionToWire(key, version)),
    nextPageToken,
    totalSize: named.length,
  };
};
