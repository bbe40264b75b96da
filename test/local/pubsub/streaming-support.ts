import type { protos } from '@google-cloud/pubsub';

import type { PubsubTest } from './support.ts';
import { SUBSCRIPTION } from './support.ts';

type Received = protos.google.pubsub.v1.IReceivedMessage;
type Request = protos.google.pubsub.v1.IStreamingPullRequest;
type Response = protos.google.pubsub.v1.IStreamingPullResponse;

/** One StreamingPull through Google's generated client. */
export function openStream(test: PubsubTest, settings: Request = {}) {
  const received: Received[] = [];
  let failure: { code?: number } | undefined;
  const stream = test.google.subscriber.streamingPull();
  stream.on('data', (response: Response) => received.push(...(response.receivedMessages ?? [])));
  stream.on('error', (error: { code?: number }) => (failure = error));
  stream.write({ subscription: SUBSCRIPTION, streamAckDeadlineSeconds: 10, ...settings });
  return {
    received,
    texts: () => received.map(({ message }) => message?.data?.toString()),
    ackIds: () => received.map(({ ackId }) => ackId ?? ''),
    send: (request: Request) => void stream.write(request),
    /** Resolves once so many messages have come in all. */
    async count(wanted: number) {
      while (received.length < wanted && !failure) await new Promise((done) => setTimeout(done, 2));
      return received.length;
    },
    /** Resolves with the code that the stream ends with. */
    async failed() {
      while (!failure) await new Promise((done) => setTimeout(done, 2));
      return failure.code;
    },
    close: () => stream.cancel(),
  };
}

/** Time for messages that must not come to come all the same. */
export const moment = () => new Promise((done) => setTimeout(done, 40));
