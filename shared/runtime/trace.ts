import type { IncomingMessage } from 'node:http';

/**
 * The field by which Cloud Logging groups the lines of one request, from W3C's `traceparent` or
 * Google's `X-Cloud-Trace-Context`; empty without either.
 */
export function traceField(
  { headers }: Pick<IncomingMessage, 'headers'>,
  project: string,
): Record<string, string> {
  const parent = /^00-([0-9a-f]{32})-/.exec(String(headers['traceparent'] ?? ''))?.[1];
  const google = /^([0-9a-f]{32})(\/|$)/.exec(String(headers['x-cloud-trace-context'] ?? ''))?.[1];
  const id = parent ?? google;
  return id ? { 'logging.googleapis.com/trace': `projects/${project}/traces/${id}` } : {};
}
