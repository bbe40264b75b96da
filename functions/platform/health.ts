import { z } from 'zod';

import { endpoint } from '../../shared/runtime/endpoint.ts';

export default endpoint('health', {
  summary: 'Tell that the service answers',
  reply: z.object({ status: z.literal('ok') }),
  handle: async () => ({ status: 'ok' as const }),
});
