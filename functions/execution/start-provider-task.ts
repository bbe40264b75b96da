import {
  StartProviderTask,
  TaskExecutionView,
  newTaskExecution,
  startTaskExecution,
  taskExecutionRefs,
} from '../../shared/execution/task-execution.ts';
import { notCallable } from '../../shared/runtime/callable-providers.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { invalid } from '../../shared/runtime/validate.ts';

export default endpoint('start-provider-task', {
  summary: 'Have a provider called in the background, once per idempotency key',
  description:
    'Repeated with the same idempotency_key, or without one for an equal call, it answers how far that call has come and starts nothing; one that failed for good is taken up again by replaying its dead letter. The payload is stored: it must hold no secret.',
  body: StartProviderTask,
  reply: TaskExecutionView,
  status: 202,
  errors: ['idempotency_mismatch'],
  handle: async ({ body }, { store, command, at }) => {
    const issue = notCallable(body);
    if (issue) throw invalid([issue]);
    const execution = newTaskExecution('run-provider-task', body, at);
    const starting = command({ execution });
    return (await store.apply(starting, taskExecutionRefs(execution), startTaskExecution)).reply;
  },
});
