import { applyMask } from '../kernel/field-mask.ts';
import { RpcError } from '../kernel/grpc.ts';
import { keyToWire } from './key.ts';
import { parseRotation } from './rotation.ts';
import type { KmsState } from './state.ts';
import type { UpdateKeyRequest, WireKey } from './wire.ts';

const UPDATABLE = ['labels', 'rotation_period', 'next_rotation_time'];

export const updateCryptoKey =
  (state: KmsState) =>
  (request: UpdateKeyRequest): WireKey => {
    const key = state.key(request.cryptoKey?.name);
    const paths = request.updateMask?.paths ?? [];
    const other = paths.find((path) => !UPDATABLE.includes(path));
    if (other || paths.length === 0)
      throw new RpcError('INVALID_ARGUMENT', `Only ${UPDATABLE.join(', ')} can be updated.`);
    const merged = applyMask(keyToWire(key), request.cryptoKey ?? {}, { paths });
    const rotation = parseRotation(merged, state.clock.nowMs());
    delete key.rotationMs;
    delete key.nextRotationMs;
    Object.assign(key, rotation);
    key.labels = { ...merged.labels };
    state.keep(key);
    return keyToWire(key);
  };
