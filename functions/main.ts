import { createServices } from '../shared/google/services.ts';
import { loadConfig } from '../shared/runtime/config.ts';
import { manifest } from '../shared/runtime/manifest.ts';
import { shimNextServer } from '../shared/runtime/request-shim.ts';
import { provide } from '../shared/runtime/services.ts';

// One artefact holds every function; an instance loads only the one it was deployed as.
const target = process.env['FUNCTION_TARGET'] ?? '';
const { http, tasks, pubsub, schedules } = manifest();
const entry = http[target] ?? tasks[target] ?? pubsub[target] ?? schedules[target];
if (!entry) throw new Error(`configs/functions.yaml has no function named "${target}"`);

// Read now: a function that is wrongly configured must not start.
const config = loadConfig(process.env);
provide(() => {
  const created = createServices(config);
  // The platform ends an instance with a signal and ten seconds: what it has counted is written then.
  // The framework's own listener, which is there by the first request, would exit at once.
  process.removeAllListeners('SIGTERM');
  process.once('SIGTERM', () => void created.close().finally(() => process.exit(0)));
  return created;
});
shimNextServer();

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
await import(new URL(`./${entry.source}.${extension}`, import.meta.url).href);
