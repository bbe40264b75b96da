import { z } from 'zod';

/** A time as it is stored and answered: ISO 8601, UTC, with milliseconds. */
export const Timestamp = z.iso.datetime({ precision: 3 });

/** A time as a caller may write it: any ISO 8601 date and time with an offset or `Z`. */
export const GivenTimestamp = z.iso
  .datetime({
    offset: true,
    error: ({ code }) =>
      code === 'invalid_type'
        ? undefined
        : 'must be an ISO 8601 time with an offset, such as 2026-01-15T10:00:00Z',
  })
  .transform((text) => new Date(text).toISOString());
