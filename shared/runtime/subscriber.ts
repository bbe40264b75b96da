import { z } from 'zod';

import { AppError } from '../errors.ts';
import { calledByPlatform } from './called-by-platform.ts';
import { type Context, createContext } from './context.ts';

/** The body of a Pub/Sub push, in the CloudEvents binding as well as without. */
const Push = z.object({
  message: z.object({
    data: z.string().default(''),
    messageId: z.string(),
    attributes: z.record(z.string(), z.string()).default({}),
  }),
  subscription: z.string(),
  deliveryAttempt: z.int().optional(),
});

export interface Message<Data> {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Data;
  /** The text as it came, for messages that do not parse. */
  readonly text: string;
}

export interface SubscriberFunction {
  readonly kind: 'subscriber';
  readonly name: string;
  readonly summary: string;
}

/**
 * Registers a Pub/Sub handler behind our own push subscription. Throwing answers an error: the message
 * comes again and, after the subscription's last attempt, goes to its dead-letter topic. So does one
 * that does not parse, unless `salvage` takes it.
 */
export function subscriber<Data extends z.ZodType>(
  name: string,
  spec: {
    readonly summary: string;
    readonly data: Data;
    readonly handle: (message: Message<z.output<Data>>, context: Context) => Promise<void>;
    readonly salvage?: (message: Message<unknown>, context: Context) => Promise<void>;
  },
): SubscriberFunction {
  calledByPlatform(
    name,
    () => ({}),
    async (req, services) => {
      const { message } = Push.parse(req.body);
      const log = services.log.child({ message_id: message.messageId });
      const context = createContext(
        { ...services, log },
        `msg_${message.messageId}`,
        `${name}\n${message.messageId}`,
      );
      const text = Buffer.from(message.data, 'base64').toString('utf8');
      const json = parsedJson(text);
      const data = spec.data.safeParse(json);
      const envelope = { id: message.messageId, attributes: message.attributes, text };
      if (data.success) await spec.handle({ ...envelope, data: data.data }, context);
      else if (spec.salvage) await spec.salvage({ ...envelope, data: json }, context);
      else throw new AppError('invalid_request', 'The message is not one of ours.');
    },
  );
  return { kind: 'subscriber', name, summary: spec.summary };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
