import { healthStates } from '../../shared/execution/health.ts';
import {
  BreakerView,
  breakerRefs,
  keyOf,
  releaseBreaker,
} from '../../shared/execution/operate-breaker.ts';
import { notFound } from '../../shared/errors.ts';
import { callerName } from '../../shared/runtime/caller.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { ref } from '../../shared/store/collection.ts';

export default endpoint('release-breaker', {
  summary: 'Close a breaker that was forced open or has opened by itself; safe to repeat',
  reply: BreakerView,
  handle: async ({ params: { key: id = '' } }, { store, command, caller, log }) => {
    const key = keyOf(await store.get(ref(healthStates, id)));
    if (!key) throw notFound('breaker');
    const releasing = command({ key });
    const { reply } = await store.apply(releasing, breakerRefs(releasing), releaseBreaker);
    log.info({ event: 'breaker.released', by: callerName(caller), ...reply }, 'breaker released');
    return reply;
  },
});
