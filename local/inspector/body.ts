import type { IncomingMessage } from 'node:http';

import { Refusal } from './answer.ts';

const BYTES_MAX = 16_384;

/** The JSON of a request; none is an empty object. */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  // A form of another site cannot send this type, so nothing gets past the check of the origin by one.
  if (!/^application\/json\b/i.test(req.headers['content-type'] ?? ''))
    throw new Refusal(400, 'invalid_request', 'Send the body as Content-Type: application/json.');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Refusal(400, 'invalid_request', 'The body is too long.');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Refusal(400, 'invalid_request', 'The body is not JSON.'), {
      cause: error,
    });
  }
}
