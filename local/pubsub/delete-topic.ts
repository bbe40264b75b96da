import type { PubsubState } from './state.ts';
import type { TopicRequest } from './wire.ts';

export const deleteTopic = (state: PubsubState) => (request: TopicRequest) => {
  state.deleteTopic(state.topic(request.topic));
  return {};
};
