import { type Request, type Response, http } from '@google-cloud/functions-framework';

import { AppError, statusOf } from '../errors.ts';
import { requirePlatform } from './called-by-platform.ts';
import { type Context, createContext } from './context.ts';
import { audienceOf } from './endpoint.ts';
import { services } from './services.ts';

export interface ScheduleFunction {
  readonly kind: 'schedule';
  readonly name: string;
  readonly summary: string;
}

/** Registers a Cloud Scheduler handler: at least once per tick, so `handle` must bear a repeat. */
export function schedule(
  name: string,
  spec: { readonly summary: string; readonly handle: (context: Context) => Promise<void> },
): ScheduleFunction {
  http(name, async (req: Request, res: Response) => {
    const given = services();
    const log = given.log.child({ function: name });
    try {
      await requirePlatform(req, given, audienceOf(given, name));
      const context = createContext({ ...given, log }, `tick_${given.now().toISOString()}`, null);
      await spec.handle(context);
      res.status(200).json({});
    } catch (error) {
      log.error({ err: error }, `schedule ${name} failed`);
      res.status(error instanceof AppError ? statusOf[error.code] : 500).json({});
    }
  });
  return { kind: 'schedule', name, summary: spec.summary };
}
