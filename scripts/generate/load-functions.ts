import type { Endpoint } from '../../shared/runtime/endpoint.ts';
import type { Manifest } from '../../shared/runtime/manifest.ts';
import type { ScheduleFunction } from '../../shared/runtime/schedule.ts';
import type { SubscriberFunction } from '../../shared/runtime/subscriber.ts';
import type { TaskFunction } from '../../shared/runtime/task.ts';

type AnyFunction = Endpoint | TaskFunction | SubscriberFunction | ScheduleFunction;

/** What a function's module exports by default. */
export async function loadFunction(source: string): Promise<AnyFunction> {
  const loaded = (await import(`../../functions/${source}.ts`)) as { default: AnyFunction };
  return loaded.default;
}

export async function loadEndpoints({
  http,
}: Manifest): Promise<{ entry: Manifest['http'][string]; endpoint: Endpoint }[]> {
  return Promise.all(
    Object.values(http).map(async (entry) => ({
      entry,
      endpoint: (await loadFunction(entry.source)) as Endpoint,
    })),
  );
}
