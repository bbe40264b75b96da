/** A google.protobuf.Timestamp or Duration as it arrives; `seconds` is an int64. */
export interface WireTime {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

export const toMs = (time: WireTime | null | undefined): number | undefined =>
  time ? Number(time.seconds ?? 0) * 1000 + (time.nanos ?? 0) / 1_000_000 : undefined;

export function fromMs(ms: number): { seconds: string; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: String(seconds), nanos: Math.round((ms - seconds * 1000) * 1_000_000) };
}
