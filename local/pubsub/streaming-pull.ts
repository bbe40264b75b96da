import { Metadata } from '@grpc/grpc-js';

import { type Duplex, RpcError } from '../kernel/grpc.ts';
import { parseAckId } from './ack-id.ts';
import { checkDeadline } from './modify-ack-deadline.ts';
import { PullStream } from './pull-stream.ts';
import { checkPullable } from './pull.ts';
import type { PubsubState } from './state.ts';
import type { Stream, Subscription } from './subscription.ts';
import type { StreamingPullRequest, StreamingPullResponse } from './wire.ts';

const STREAM_DEADLINE_S = { min: 10, max: 600 };

const invalid = (message: string) => new RpcError('INVALID_ARGUMENT', message);

const ENDS: Readonly<Record<Parameters<Stream['end']>[0], RpcError>> = {
  deleted: new RpcError('NOT_FOUND', 'The subscription was deleted.'),
  detached: new RpcError('FAILED_PRECONDITION', 'The subscription is detached from its topic.'),
  pushes: new RpcError('FAILED_PRECONDITION', 'The subscription is not a pull one.'),
  // Clients open another stream after it.
  closed: new RpcError('UNAVAILABLE', 'The service was shut down.'),
};

function streamDeadlineMs(deadlineS: number): number {
  if (deadlineS >= STREAM_DEADLINE_S.min && deadlineS <= STREAM_DEADLINE_S.max)
    return deadlineS * 1000;
  throw invalid(`Invalid stream ack deadline: ${deadlineS} (must be between 10 and 600).`);
}

/** Applies what a request acknowledges, refuses or extends; nothing of it if a part is malformed. */
function applyAcks(subscription: Subscription, request: StreamingPullRequest): void {
  const acknowledged = (request.ackIds ?? []).map(parseAckId);
  const modified = (request.modifyDeadlineAckIds ?? []).map(parseAckId);
  const deadlines = (request.modifyDeadlineSeconds ?? []).map(checkDeadline);
  if (modified.length !== deadlines.length)
    throw invalid('modify_deadline_seconds and modify_deadline_ack_ids differ in length.');
  for (const { messageId, delivery } of acknowledged) subscription.acknowledge(messageId, delivery);
  for (const [index, { messageId, delivery }] of modified.entries())
    subscription.modifyDeadline(messageId, delivery, deadlines[index] ?? 0);
}

/** One stream: delivers within the limits of its first request, and takes acknowledgements. */
export const streamingPull =
  (state: PubsubState): Duplex<StreamingPullRequest, StreamingPullResponse> =>
  (call) => {
    let open: { subscription: Subscription; stream: PullStream } | undefined;
    let isOver = false;

    const stop = () => {
      isOver = true;
      if (open) open.subscription.leave(open.stream);
    };
    const fail = (error: unknown) => {
      if (isOver) return;
      stop();
      call.emit(
        'error',
        error instanceof RpcError ? error : new RpcError('INTERNAL', String(error)),
      );
    };

    const begin = (request: StreamingPullRequest) => {
      const subscription = state.subscription(request.subscription);
      checkPullable(subscription);
      const stream = new PullStream(
        {
          maxMessages: Number(request.maxOutstandingMessages ?? 0),
          maxBytes: Number(request.maxOutstandingBytes ?? 0),
          settings: () => subscription.settings,
          write: (response) => call.write(response),
          onSent: (items) => subscription.bill(items),
          end: (reason) => fail(ENDS[reason]),
        },
        streamDeadlineMs(request.streamAckDeadlineSeconds ?? 0),
      );
      open = { subscription, stream };
      call.on('drain', () => {
        stream.unblock();
        subscription.resume();
      });
      call.sendMetadata(new Metadata());
      applyAcks(subscription, request);
      subscription.open(stream);
    };

    const goOn = (
      { subscription, stream }: NonNullable<typeof open>,
      request: StreamingPullRequest,
    ) => {
      if (request.subscription || Number(request.maxOutstandingMessages ?? 0) !== 0)
        throw invalid('subscription and flow control are set in the first request only.');
      if (Number(request.maxOutstandingBytes ?? 0) !== 0)
        throw invalid('subscription and flow control are set in the first request only.');
      if (request.streamAckDeadlineSeconds)
        stream.ackDeadlineMs = streamDeadlineMs(request.streamAckDeadlineSeconds);
      applyAcks(subscription, request);
    };

    call.on('data', (request: StreamingPullRequest) => {
      if (isOver) return;
      try {
        if (open) goOn(open, request);
        else begin(request);
      } catch (error) {
        fail(error);
      }
    });
    call.on('end', () => {
      stop();
      call.end();
    });
    for (const event of ['cancelled', 'error', 'close']) call.once(event, stop);
  };
