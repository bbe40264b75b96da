import { RpcError, type Service, type Unary } from '../kernel/grpc.ts';

/**
 * Calls a product's RPC inside the process: it answers as its gRPC does, but is neither counted nor
 * struck by faults, so that looking changes nothing.
 */
export async function call<Response>(
  services: readonly Service[],
  rpc: string,
  request: object,
): Promise<Response> {
  const handle = services.find(({ unary }) => unary && rpc in unary)?.unary?.[rpc];
  if (!handle) throw new RpcError('UNIMPLEMENTED', `${rpc} is not imitated.`);
  return (await (handle as Unary<object>)(request)) as Response;
}
