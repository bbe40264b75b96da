import { request } from 'node:http';

import type { Reply, TestPurvey } from '../../support/purvey.ts';

/** Calls the inspector's API as its page does. */
export const inspect = (
  purvey: TestPurvey,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Reply> =>
  purvey.call(method, `/_local/api${path}`, {
    as: 'operator',
    ...(method === 'POST' && { body: body ?? {} }),
  });

/** A plain request, for headers such as `Host` that fetch does not let one set. */
export const raw = (
  purvey: TestPurvey,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> =>
  new Promise((done, failed) => {
    const outgoing = request(`${purvey.url}${path}`, { method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        done({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.on('error', failed);
    outgoing.end(method === 'POST' ? '{}' : undefined);
  });

export const LOOKS = [
  '/overview',
  '/collections',
  '/documents?collection=providers',
  '/queues',
  '/topics',
  '/deliveries',
  '/schedules',
  '/keys',
  '/counters',
  '/clock',
] as const;

export const ACTIONS = [
  '/clock',
  '/schedules/run',
  '/tasks/run',
  '/queues/pause',
  '/queues/resume',
  '/counters/reset',
] as const;
