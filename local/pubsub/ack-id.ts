import { RpcError } from '../kernel/grpc.ts';

/** An ack id names one delivery of one message, so it stays good over a restart. */
export const ackIdOf = (messageId: string, attempt: number): string =>
  Buffer.from(`${messageId}:${attempt}`).toString('base64url');

export function parseAckId(ackId: string): { messageId: string; attempt: number } {
  const [messageId, attempt] = Buffer.from(ackId, 'base64url').toString().split(':');
  if (messageId && attempt) return { messageId, attempt: Number(attempt) };
  throw new RpcError('INVALID_ARGUMENT', `You have passed an invalid ack ID (ack_id=${ackId}).`);
}
