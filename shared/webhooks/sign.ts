import { createHmac } from 'node:crypto';

import { signingKeyOf } from './secret.ts';

/** A webhook before it is signed. `id` stays the same when it is sent again, `at` does not. */
export interface Message {
  readonly id: string;
  readonly at: Date;
  /** Exactly the text that is sent. */
  readonly body: string;
}

export interface SignedHeaders {
  readonly 'webhook-id': string;
  /** Seconds since 1970. */
  readonly 'webhook-timestamp': string;
  /** One `v1,` signature for each secret, separated by spaces. */
  readonly 'webhook-signature': string;
}

/**
 * Signs as Standard Webhooks asks. During a rotation there are two secrets, and a receiver that knows
 * either accepts.
 */
export function sign({ id, at, body }: Message, secrets: readonly string[]): SignedHeaders {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets
      .map((secret) => `v1,${signature(id, timestamp, body, secret).toString('base64')}`)
      .join(' '),
  };
}

export const signature = (id: string, timestamp: string, body: string, secret: string): Buffer =>
  createHmac('sha256', signingKeyOf(secret)).update(`${id}.${timestamp}.${body}`).digest();
