import { createHmac } from 'node:crypto';

export const hmacSha256Hex = (key: string, text: string | Uint8Array): string =>
  createHmac('sha256', key).update(text).digest('hex');
