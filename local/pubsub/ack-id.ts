import { RpcError } from '../kernel/grpc.ts';
import { deliveryOf, type Outstanding } from './outstanding.ts';

/** An ack id names one delivery of one message, so it stays good over a restart. */
export const ackIdOf = (item: Outstanding): string =>
  Buffer.from(`${item.message.id}:${deliveryOf(item)}`).toString('base64url');

export function parseAckId(ackId: string): { messageId: string; delivery: number } {
  const [messageId, delivery] = Buffer.from(ackId, 'base64url').toString().split(':');
  if (messageId && delivery) return { messageId, delivery: Number(delivery) };
  throw new RpcError('INVALID_ARGUMENT', `You have passed an invalid ack ID (ack_id=${ackId}).`);
}
