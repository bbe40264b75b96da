import { z } from 'zod';

/** The query parameters that every list takes. */
export const Paging = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().max(1_024).optional(),
});
