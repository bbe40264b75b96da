import { RpcError } from '../kernel/grpc.ts';

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A google.protobuf.Int64Value; int64 travels as a string. */
export const toChecksum = (bytes: Uint8Array) => ({ value: String(crc32c(bytes)) });

/** Whether a checksum was sent; throws when it was and does not match. */
export function isVerified(
  field: string,
  bytes: Uint8Array,
  checksum: { readonly value?: unknown } | null | undefined,
): boolean {
  if (!checksum) return false;
  if (Number(checksum.value ?? 0) === crc32c(bytes)) return true;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
  );
}
