import type { Dispatch } from '../kernel/dispatch.ts';
import type { JobSettings } from './job.ts';

/** The HTTP request of one attempt. */
export function jobRequest(
  settings: JobSettings,
  scheduledMs: number,
  token: string | undefined,
): Dispatch {
  const hasContentType = Object.keys(settings.headers).some(
    (name) => name.toLowerCase() === 'content-type',
  );
  return {
    url: settings.url,
    method: settings.method,
    body: settings.body,
    deadlineMs: settings.attemptDeadlineMs,
    headers: {
      ...(settings.body.length > 0 &&
        !hasContentType && { 'Content-Type': 'application/octet-stream' }),
      ...settings.headers,
      'User-Agent': 'Google-Cloud-Scheduler',
      'X-CloudScheduler': 'true',
      'X-CloudScheduler-JobName': settings.name.slice(settings.name.lastIndexOf('/') + 1),
      'X-CloudScheduler-ScheduleTime': new Date(scheduledMs).toISOString(),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
  };
}
