import { healthStates } from '../../shared/execution/health.ts';
import { keyId } from '../../shared/execution/key.ts';
import {
  BreakerView,
  ForceOpenBreaker,
  breakerRefs,
  forceOpenBreaker,
  keyOf,
  namedKey,
} from '../../shared/execution/operate-breaker.ts';
import { notFound } from '../../shared/errors.ts';
import { callerName } from '../../shared/runtime/caller.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('force-open-breaker', {
  summary: 'Stop all calls of a key until the breaker is released; safe to repeat',
  description:
    'A key that was never called is found when tenant_id, provider_name and capability name it. An instance that makes calls notices when it next looks the breaker up: after about 10 seconds, 30 for tenant `*`.',
  body: ForceOpenBreaker,
  reply: BreakerView,
  errors: ['conflict'],
  handle: async ({ params, body }, { store, command, caller, execution, log }) => {
    const { key: id = '' } = params;
    const { reason, ...names } = body;
    const named = namedKey(names);
    const key = named ?? keyOf(await store.get(ref(healthStates, id)));
    if (!key || keyId(key) !== id) throw notFound('breaker');
    const { scope } = execution.policyOf(key).breaker;
    const forcing = command({ key, reason, scope, by: callerName(caller) });
    const { reply } = await store.apply(forcing, breakerRefs(forcing), forceOpenBreaker);
    log.warn({ event: 'breaker.forced_open', ...reply }, 'breaker forced open');
    return reply;
  },
});
