import { notFound } from '../../shared/errors.ts';
import {
  TaskExecutionView,
  taskExecutionRefs,
  taskExecutionView,
} from '../../shared/execution/task-execution.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';

export default endpoint('get-provider-task', {
  summary: 'Show how far a provider task has come, with what the provider answered',
  reply: TaskExecutionView,
  handle: async ({ params: { task_execution_id = '' } }, { store }) => {
    const execution = await store.get(taskExecutionRefs({ task_execution_id }).execution);
    if (!execution) throw notFound('provider task');
    return taskExecutionView(execution);
  },
});
