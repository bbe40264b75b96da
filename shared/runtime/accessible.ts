import { AppError } from '../errors.ts';
import type { EndpointProbe } from '../providers/endpoint-probe.ts';
import type { RequestContext } from './context.ts';
import { takePermit } from './rate-limit.ts';

/**
 * Probes an endpoint that a caller wants to be called at.
 *
 * @throws {AppError} `endpoint_not_accessible` saying what was wrong with it; `rate_limited` when its host
 *   was probed too often
 */
export async function requireAccessible(
  context: RequestContext,
  endpointProbe: EndpointProbe,
  url: string,
): Promise<void> {
  // A probe of a host of the caller's choice: whatever key came along, it is limited.
  if (context.caller.kind !== 'operator') {
    const { per_host: perHost, window_s: windowS } = context.config.limits.registration;
    const { host } = new URL(url);
    if (perHost !== undefined)
      await takePermit(context, `registration-host:${host}`, perHost, windowS);
  }
  const probe = await endpointProbe.probe(url);
  if (probe.status === 'succeeded') return;
  const { reasonCode, message } = probe.failure;
  const reason = reasonCode === 'timeout' ? 'it did not answer in time' : message;
  throw new AppError(
    'endpoint_not_accessible',
    `Endpoint not accessible: ${reason}. It must answer GET within ${endpointProbe.budgetS} s with a status below 500.`,
    { details: [{ field: 'body.endpoint', reason }] },
  );
}
