import { randomUUID } from 'node:crypto';

import { applyMask } from '../kernel/field-mask.ts';
import { RpcError } from '../kernel/grpc.ts';
import { pageOf } from '../kernel/page.ts';
import { toMs } from '../kernel/proto-time.ts';
import { checkName } from './names.ts';
import { LIFETIME_MS, snapshotToWire } from './snapshot.ts';
import type { PubsubState } from './state.ts';
import type {
  CreateSnapshotRequest,
  ListSnapshotsRequest,
  SnapshotRequest,
  UpdateSnapshotRequest,
} from './wire.ts';

const PAGE_SIZE_MAX = 1000;
const LIFETIME_MS_MIN = 3_600_000;

export const createSnapshot = (state: PubsubState) => (request: CreateSnapshotRequest) => {
  const subscription = state.subscription(request.subscription);
  const { project } = /^(?<project>projects\/[^/]+)/.exec(request.subscription ?? '')?.groups ?? {};
  const name = checkName(
    'snapshots',
    request.name || `${project}/snapshots/snapshot-${randomUUID()}`,
  );
  if (state.snapshots.has(name))
    throw new RpcError(
      'ALREADY_EXISTS',
      `Resource already exists in the project (resource=${name}).`,
    );
  const nowMs = state.clock.nowMs();
  const published = [...subscription.outstanding.values()].map(({ message }) => message.publishMs);
  const expireMs = Math.min(nowMs, ...published) + LIFETIME_MS;
  if (expireMs - nowMs < LIFETIME_MS_MIN)
    throw new RpcError(
      'FAILED_PRECONDITION',
      "The subscription's oldest unacknowledged message is too old for a snapshot.",
    );
  const labels = { ...request.labels };
  return snapshotToWire(state.takeSnapshot(subscription, { name, labels, expireMs }));
};

export const getSnapshot = (state: PubsubState) => (request: SnapshotRequest) =>
  snapshotToWire(state.snapshot(request.snapshot));

export const listSnapshots = (state: PubsubState) => (request: ListSnapshotsRequest) => {
  const inProject = [...state.snapshots.values()].filter(({ name }) =>
    name.startsWith(`${request.project ?? ''}/snapshots/`),
  );
  const { items, nextPageToken } = pageOf(inProject, request, PAGE_SIZE_MAX);
  return { snapshots: items.map(snapshotToWire), nextPageToken };
};

export const listTopicSnapshots =
  (state: PubsubState) =>
  (request: {
    readonly topic?: string | null;
    readonly pageSize?: number | null;
    readonly pageToken?: string | null;
  }) => {
    const { name: topic } = state.topic(request.topic);
    const ofTopic = [...state.snapshots.values()].filter((each) => each.topic === topic);
    const { items, nextPageToken } = pageOf(ofTopic, request, PAGE_SIZE_MAX);
    return { snapshots: items.map(({ name }) => name), nextPageToken };
  };

export const updateSnapshot = (state: PubsubState) => (request: UpdateSnapshotRequest) => {
  const update = request.snapshot ?? {};
  const snapshot = state.snapshot(update.name);
  const paths = request.updateMask?.paths ?? [];
  if (paths.length === 0)
    throw new RpcError('INVALID_ARGUMENT', 'The update_mask in the request must not be empty.');
  const merged = applyMask(snapshotToWire(snapshot), update, { paths });
  const changed = {
    ...snapshot,
    labels: { ...merged.labels },
    expireMs: toMs(merged.expireTime) ?? snapshot.expireMs,
  };
  state.keepSnapshot(changed);
  return snapshotToWire(changed);
};

export const deleteSnapshot = (state: PubsubState) => (request: SnapshotRequest) => {
  state.deleteSnapshot(state.snapshot(request.snapshot));
  return {};
};
