import { RpcError } from '../kernel/grpc.ts';
import { toMs } from '../kernel/proto-time.ts';
import { type Key, keyToWire } from './key.ts';
import { checkId } from './names.ts';
import { parseRotation } from './rotation.ts';
import type { KmsState } from './state.ts';
import type { CreateKeyRequest, WireKey } from './wire.ts';

const DESTROY_DELAY_MS_DEFAULT = 30 * 24 * 3_600_000;
const DESTROY_DELAY_MS_MIN = 24 * 3_600_000;

export const createCryptoKey =
  (state: KmsState) =>
  (request: CreateKeyRequest): WireKey => {
    const ring = state.ring(request.parent);
    const name = `${ring.name}/cryptoKeys/${checkId('crypto_key_id', request.cryptoKeyId)}`;
    if (state.keys.has(name))
      throw new RpcError('ALREADY_EXISTS', `CryptoKey ${name} already exists.`);
    const wire = request.cryptoKey ?? {};
    const level = wire.versionTemplate?.protectionLevel ?? 'SOFTWARE';
    if (!wire.purpose) throw new RpcError('INVALID_ARGUMENT', 'purpose must be specified.');
    if (wire.purpose !== 'ENCRYPT_DECRYPT' || level !== 'SOFTWARE' || wire.importOnly)
      throw new RpcError('UNIMPLEMENTED', 'Only symmetric software keys are imitated.');
    const destroyDelayMs = toMs(wire.destroyScheduledDuration) ?? DESTROY_DELAY_MS_DEFAULT;
    if (destroyDelayMs < DESTROY_DELAY_MS_MIN)
      throw new RpcError('INVALID_ARGUMENT', 'destroy_scheduled_duration must be at least 24 h.');
    const key: Key = {
      name,
      createMs: state.clock.nowMs(),
      destroyDelayMs,
      versions: [],
      primary: undefined,
      labels: { ...wire.labels },
      ...parseRotation(wire, state.clock.nowMs()),
    };
    if (!request.skipInitialVersionCreation) key.primary = state.addVersion(key).number;
    state.keep(key);
    return keyToWire(key);
  };
