import { RpcError } from '../kernel/grpc.ts';
import { fromMs } from '../kernel/proto-time.ts';
import type { WireMessage } from './wire.ts';

/** What a publisher sends. */
export interface MessageContent {
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
}

export interface Message extends MessageContent {
  readonly id: string;
  readonly topic: string;
  readonly publishMs: number;
}

const ATTRIBUTES_MAX = 100;
const ATTRIBUTE_KEY_BYTES_MAX = 256;
const ATTRIBUTE_VALUE_BYTES_MAX = 1024;
const ORDERING_KEY_BYTES_MAX = 1024;

/** What the `data` of one message may hold at most, and a request in all. */
const DATA_BYTES_MAX = 10_000_000;

const invalid = (message: string) => new RpcError('INVALID_ARGUMENT', message);

const bytesOf = (data: string | Uint8Array | null | undefined): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data, 'base64') : (data ?? new Uint8Array());

export function parseMessage(wire: WireMessage): MessageContent {
  const data = bytesOf(wire.data);
  const attributes = { ...wire.attributes };
  const orderingKey = wire.orderingKey ?? '';
  const entries = Object.entries(attributes);
  if (data.length === 0 && entries.length === 0)
    throw invalid(
      'One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.',
    );
  if (data.length > DATA_BYTES_MAX)
    throw invalid(
      `The value for message_size is too large. You passed ${data.length} in the request, but the maximum value is ${DATA_BYTES_MAX}.`,
    );
  if (entries.length > ATTRIBUTES_MAX) throw invalid('The request contains too many attributes.');
  for (const [key, value] of entries) {
    if (key === '' || key.startsWith('goog')) throw invalid(`Invalid attribute key "${key}".`);
    if (Buffer.byteLength(key) > ATTRIBUTE_KEY_BYTES_MAX)
      throw invalid('The request contains an attribute key that is too long.');
    if (Buffer.byteLength(value) > ATTRIBUTE_VALUE_BYTES_MAX)
      throw invalid('The request contains an attribute value that is too long.');
  }
  if (Buffer.byteLength(orderingKey) > ORDERING_KEY_BYTES_MAX)
    throw invalid('The ordering key is too long.');
  return { data, attributes, orderingKey };
}

/** The bytes that a publisher sends. */
export const sizeOf = ({ data, attributes, orderingKey }: MessageContent): number =>
  Object.entries(attributes).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    data.length + Buffer.byteLength(orderingKey),
  );

const TIMESTAMP_BYTES = 20;

/** The bytes that are billed, as https://cloud.google.com/pubsub/pricing adds them up. */
export const volumeOf = (message: Message): number =>
  sizeOf(message) + TIMESTAMP_BYTES + message.id.length;

export const messageToWire = (message: Message): WireMessage => ({
  data: message.data,
  attributes: { ...message.attributes },
  messageId: message.id,
  publishTime: fromMs(message.publishMs),
  ...(message.orderingKey && { orderingKey: message.orderingKey }),
});
