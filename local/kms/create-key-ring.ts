import { RpcError } from '../kernel/grpc.ts';
import { fromMs } from '../kernel/proto-time.ts';
import { checkId } from './names.ts';
import type { KmsState } from './state.ts';
import type { CreateKeyRingRequest, WireKeyRing } from './wire.ts';

export const createKeyRing =
  (state: KmsState) =>
  (request: CreateKeyRingRequest): WireKeyRing => {
    const name = `${request.parent ?? ''}/keyRings/${checkId('key_ring_id', request.keyRingId)}`;
    if (state.rings.has(name))
      throw new RpcError('ALREADY_EXISTS', `KeyRing ${name} already exists.`);
    const ring = { name, createMs: state.clock.nowMs() };
    state.keepRing(ring);
    return { name, createTime: fromMs(ring.createMs) };
  };
