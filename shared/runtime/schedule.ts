import { calledByPlatform } from './called-by-platform.ts';
import { type Context, createContext } from './context.ts';

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
  calledByPlatform(
    name,
    () => ({}),
    (_req, services) =>
      spec.handle(createContext(services, `tick_${services.now().toISOString()}`, null)),
  );
  return { kind: 'schedule', name, summary: spec.summary };
}
