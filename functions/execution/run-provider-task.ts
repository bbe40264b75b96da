import { callableProvider, callableProviders } from '../../shared/runtime/callable-providers.ts';
import { providerTask } from '../../shared/runtime/provider-task.ts';

export default providerTask('run-provider-task', {
  summary: 'Call a provider for a started task, and plan the next attempt if it fails',
  provider: callableProvider,
  known: callableProviders,
});
