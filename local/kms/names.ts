import { RpcError } from '../kernel/grpc.ts';

export function checkId(field: string, id: string | null | undefined): string {
  if (id && /^[a-zA-Z0-9_-]{1,63}$/.test(id)) return id;
  throw new RpcError('INVALID_ARGUMENT', `${field} must match [a-zA-Z0-9_-]{1,63}.`);
}
