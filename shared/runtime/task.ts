import type { Request } from '@google-cloud/functions-framework';
import type { z } from 'zod';

import { calledByPlatform } from './called-by-platform.ts';
import { type Context, createContext } from './context.ts';

export interface TaskContext extends Context {
  /** Hash of the task's name: equal for a duplicate delivery, other for the next attempt we enqueue. */
  readonly taskName: string;
  /** Earlier dispatches of this very task by Cloud Tasks. */
  readonly retryCount: number;
}

export interface TaskFunction {
  readonly kind: 'task';
  readonly name: string;
  readonly summary: string;
}

const about = (req: Request) => ({
  task: String(req.headers['x-cloudtasks-taskname'] ?? ''),
  retry_count: Number(req.headers['x-cloudtasks-taskretrycount'] ?? 0),
});

/**
 * Registers a Cloud Tasks handler. Throwing makes Cloud Tasks try again; a payload that does not parse
 * is dropped, because a retry cannot mend it.
 */
export function task<Payload extends z.ZodType>(
  name: string,
  spec: {
    readonly summary: string;
    readonly payload: Payload;
    readonly handle: (payload: z.output<Payload>, context: TaskContext) => Promise<void>;
  },
): TaskFunction {
  calledByPlatform(name, about, async (req, services) => {
    const { task: taskName, retry_count: retryCount } = about(req);
    const payload = spec.payload.safeParse(req.body);
    if (!payload.success) {
      services.log.error(
        { issues: payload.error.issues },
        'task dropped: its payload is not valid',
      );
      return;
    }
    const context = createContext(services, `task_${taskName}`, `${name}\n${taskName}`);
    await spec.handle(payload.data, { ...context, taskName, retryCount });
    services.log.info(`${name} done`);
  });
  return { kind: 'task', name, summary: spec.summary };
}
