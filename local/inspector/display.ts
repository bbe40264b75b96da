/** Milliseconds since the Unix epoch as text. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
