import { createHash, createHmac } from 'node:crypto';

export const sha256Hex = (text: string | Uint8Array): string =>
  createHash('sha256').update(text).digest('hex');

export const hmacSha256Hex = (key: string, text: string | Uint8Array): string =>
  createHmac('sha256', key).update(text).digest('hex');
