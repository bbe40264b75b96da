import { type Request, type Response, http } from '@google-cloud/functions-framework';
import type { z } from 'zod';

import { AppError, statusOf } from '../errors.ts';
import { requirePlatform } from './called-by-platform.ts';
import { type Context, createContext } from './context.ts';
import { audienceOf } from './endpoint.ts';
import { services } from './services.ts';

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

/**
 * Registers a Cloud Tasks handler. Throwing answers 500 and Cloud Tasks tries again; a payload that
 * does not parse answers 200, because a retry cannot mend it.
 */
export function task<Payload extends z.ZodType>(
  name: string,
  spec: {
    readonly summary: string;
    readonly payload: Payload;
    readonly handle: (payload: z.output<Payload>, context: TaskContext) => Promise<void>;
  },
): TaskFunction {
  http(name, async (req: Request, res: Response) => {
    const given = services();
    const taskName = String(req.headers['x-cloudtasks-taskname'] ?? '');
    const retryCount = Number(req.headers['x-cloudtasks-taskretrycount'] ?? 0);
    const log = given.log.child({ function: name, task: taskName, retry_count: retryCount });
    try {
      await requirePlatform(req, given, audienceOf(given, name));
      const payload = spec.payload.safeParse(req.body);
      if (!payload.success) {
        log.error({ issues: payload.error.issues }, 'task dropped: its payload is not valid');
        res.status(200).json({ dropped: true });
        return;
      }
      const context = {
        ...createContext({ ...given, log }, `task_${taskName}`, `${name}\n${taskName}`),
      };
      await spec.handle(payload.data, { ...context, taskName, retryCount });
      log.info(`task ${name} done`);
      res.status(200).json({});
    } catch (error) {
      const status = error instanceof AppError ? statusOf[error.code] : 500;
      log.error({ err: error }, `task ${name} failed`);
      res.status(status).json({});
    }
  });
  return { kind: 'task', name, summary: spec.summary };
}
