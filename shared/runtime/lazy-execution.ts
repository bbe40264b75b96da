import type { Execution } from '../execution/execution.ts';
import type { ExecutionPorts } from '../execution/executor.ts';
import { policyOf } from '../execution/policy.ts';

/**
 * The execution layer, loaded with the first call: most functions call no provider, and should not
 * pay for it in their cold start.
 */
export function lazyExecution(ports: ExecutionPorts): Execution {
  let made: Execution | undefined;
  let loading: Promise<Execution> | undefined;
  const load = () =>
    (loading ??= import('../execution/executor.ts').then(
      ({ createExecution }) => (made = createExecution(ports)),
    ));
  return {
    run: (target, request) =>
      made ? made.run(target, request) : load().then((execution) => execution.run(target, request)),
    policyOf: (key) => policyOf(ports.settings(), key),
    flush: async () => (await loading)?.flush(),
    close: async () => (await loading)?.close(),
  };
}
