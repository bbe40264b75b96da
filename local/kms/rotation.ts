import { RpcError } from '../kernel/grpc.ts';
import { toMs } from '../kernel/proto-time.ts';
import type { Key } from './key.ts';
import type { WireKey } from './wire.ts';

const PERIOD_MS_MIN = 24 * 3_600_000;

export function parseRotation(
  wire: WireKey,
  nowMs: number,
): Pick<Key, 'rotationMs' | 'nextRotationMs'> {
  const rotationMs = toMs(wire.rotationPeriod);
  const nextRotationMs = toMs(wire.nextRotationTime);
  if (rotationMs === undefined) return nextRotationMs === undefined ? {} : { nextRotationMs };
  if (rotationMs < PERIOD_MS_MIN)
    throw new RpcError('INVALID_ARGUMENT', 'rotation_period must be at least 24 hours.');
  if (nextRotationMs === undefined || nextRotationMs <= nowMs)
    throw new RpcError('INVALID_ARGUMENT', 'rotation_period needs a next_rotation_time to come.');
  return { rotationMs, nextRotationMs };
}
