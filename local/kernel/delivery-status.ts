import { status } from '@grpc/grpc-js';

import type { Delivery } from './dispatch.ts';

/** Google's mapping of HTTP statuses to google.rpc codes; what is absent follows its class. */
const CODES: Record<number, number> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.ABORTED,
  416: status.OUT_OF_RANGE,
  429: status.RESOURCE_EXHAUSTED,
  499: status.CANCELLED,
  501: status.UNIMPLEMENTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

export const isSuccess = (delivery: Delivery): boolean =>
  delivery.kind === 'answered' && delivery.status >= 200 && delivery.status < 300;

/** A delivery's outcome as the google.rpc.Status that GetTask and GetJob show. */
export function statusOf(delivery: Delivery): { code: number; message: string } {
  switch (delivery.kind) {
    case 'answered': {
      if (isSuccess(delivery)) return { code: status.OK, message: '' };
      const fallback = delivery.status < 500 ? status.UNKNOWN : status.INTERNAL;
      return {
        code: CODES[delivery.status] ?? fallback,
        message: `HTTP status code ${delivery.status}`,
      };
    }
    case 'timed-out':
      return { code: status.DEADLINE_EXCEEDED, message: 'the target did not answer in time' };
    case 'unreachable':
      return { code: status.UNAVAILABLE, message: delivery.reason };
    case 'crashed':
      return { code: status.UNAVAILABLE, message: 'the target process has crashed' };
  }
}
