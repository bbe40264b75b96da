import { randomUUID } from 'node:crypto';

import { v1 as pubsub } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';

import type { StoredDocument } from '../../local/firestore/server.ts';
import { ManualClock } from '../../local/kernel/clock.ts';
import type { FaultRule } from '../../local/kernel/faults.ts';
import { type AuditPage, auditPages } from '../../shared/eligibility/audit.ts';
import type { EligibilityDecision } from '../../shared/eligibility/decision.ts';
import { type Received, type Reply, type TestPurvey, rfqBody } from '../support/purvey.ts';

interface Buyer {
  readonly key: string;
}

/** Opens an RFQ and returns what the API answered. */
export async function openRfq(
  purvey: TestPurvey,
  buyer: Buyer,
  given: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Reply['body']> {
  const { status, body } = await purvey.call('POST', '/v1/rfqs', {
    as: { org: buyer.key },
    body: rfqBody(purvey, given),
    headers,
  });
  if (status !== 201) throw new Error(`POST /v1/rfqs answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** GET /v1/rfqs/{id} as its buyer. */
export const readRfq = async (
  purvey: TestPurvey,
  buyer: Buyer,
  rfqId: string,
): Promise<Reply['body']> =>
  (await purvey.call('GET', `/v1/rfqs/${rfqId}`, { as: { org: buyer.key } })).body;

/** Every decision about an RFQ, page by page as the API serves them. */
export async function readDecisions(
  purvey: TestPurvey,
  buyer: Buyer,
  rfqId: string,
): Promise<EligibilityDecision[]> {
  const decisions: EligibilityDecision[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const path = `/v1/rfqs/${rfqId}/decisions?limit=100${cursor && `&cursor=${cursor}`}`;
    const { body }: Reply = await purvey.call('GET', path, { as: { org: buyer.key } });
    decisions.push(...body.decisions);
    cursor = body.next_cursor;
  }
  return decisions;
}

/** The audit pages of an RFQ as they are stored, in order. */
export const storedPages = async (
  purvey: TestPurvey,
  rfqId: string,
): Promise<readonly AuditPage[]> =>
  (await purvey.services.store.query({ collection: auditPages, parents: [rfqId], limit: 100 }))
    .docs;

/** What is stored below `path` (`providers`, `rfqs/rfq_1/deliveries`), looked up without a read. */
export const storedIn = (purvey: TestPurvey, path: string): StoredDocument[] =>
  [...purvey.cloud.firestore.snapshot().values()].filter(({ collection }) =>
    collection.endsWith(`/documents/${path}`),
  );

/** The text of a stored document's field. */
export const textOf = ({ fields }: StoredDocument, name: string): string | undefined => {
  const value = fields[name];
  return value?.valueType === 'stringValue' ? value.stringValue : undefined;
};

/** The RFQs of a description as they are stored: there is none while its creation is not committed. */
export const storedRfqs = (purvey: TestPurvey, description: string): StoredDocument[] =>
  storedIn(purvey, 'rfqs').filter((each) => textOf(each, 'description') === description);

export async function recordScore(
  purvey: TestPurvey,
  providerId: string,
  score: number,
): Promise<void> {
  const { status } = await purvey.call('POST', `/internal/v1/providers/${providerId}/scores`, {
    as: 'operator',
    body: { score, source: 'operator' },
  });
  if (status !== 201) throw new Error(`the score was answered ${status}`);
}

/** The machine's time, in whole seconds: receivers of webhooks compare with their own clock. */
export const clockAtPresent = (): ManualClock =>
  new ManualClock(Math.floor(Date.now() / 1_000) * 1_000);

/** Reads a webhook as a receiver would, by the reference implementation; throws when it is not authentic. */
export const verifiedWebhook = (
  { headers, body }: Received,
  secret: string,
): { readonly type: string; readonly timestamp: string; readonly data: Reply['body'] } =>
  new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  }) as ReturnType<typeof verifiedWebhook>;

export const webhookIds = (received: readonly Received[]): string[] => [
  ...new Set(received.map(({ headers }) => String(headers['webhook-id']))),
];

/** When each was sent, in seconds after `fromMs`. */
export const secondsAfter = (fromMs: number, received: readonly Received[]): number[] =>
  received.map(({ headers }) => Number(headers['webhook-timestamp']) - fromMs / 1_000);

/** Those of an RFQ among the webhooks received. */
export const about = (received: readonly Received[], rfqId: string): Received[] =>
  received.filter(({ body }) => JSON.parse(body).data.rfq_id === rfqId);

/** Calls a task handler by hand, as Cloud Tasks would. */
export const callTask = (
  purvey: TestPurvey,
  name: 'plan-rfq' | 'deliver-rfq',
  payload: Record<string, unknown>,
  taskName = `by-hand-${JSON.stringify(payload)}`,
): Promise<Reply> =>
  purvey.call('POST', `/_functions/${name}`, {
    as: { service: 'tasks', of: name },
    body: payload,
    headers: { 'x-cloudtasks-taskname': taskName, 'x-cloudtasks-taskretrycount': '0' },
  });

/** Starts the functions again after an injected crash. What it left undone is still left undone. */
export async function restartAfterCrash(purvey: TestPurvey): Promise<void> {
  purvey.cloud.firestore.endTransactions();
  await purvey.restartFunctions();
  purvey.cloud.faults.clear();
}

/** Long enough for the relay to find what a crash left: 60 s of age, and the next minute's run. */
const RELAY_MS = 125_000;

/** Moves the clock until the outbox is relayed and every retry of a task has had its turn. */
export async function passRelay(purvey: TestPurvey): Promise<void> {
  await purvey.settle();
  await purvey.clock.advance(RELAY_MS);
  await purvey.settle();
  // What the relay enqueued, or what waited for another's back-off.
  await purvey.clock.advance(RELAY_MS);
  await purvey.settle();
}

/** Injects a rule for the time of `work`. */
export async function withFault<T>(
  purvey: TestPurvey,
  rule: FaultRule,
  work: () => Promise<T>,
): Promise<T> {
  const withdraw = purvey.cloud.faults.inject(rule);
  try {
    return await work();
  } finally {
    withdraw();
  }
}

/** Picks requests that name something, such as a collection in a Commit. */
export const mentions =
  (text: string) =>
  (request: unknown): boolean =>
    JSON.stringify(request).includes(text);

export interface Envelope {
  readonly event_id: string;
  readonly event_type: string;
  readonly data: Reply['body'];
}

/** Subscribes to a topic by pull; the result takes everything published since, acknowledging it. */
export async function listenTo(
  purvey: TestPurvey,
  topic: string,
): Promise<() => Promise<Envelope[]>> {
  const subscriber = new pubsub.SubscriberClient({
    projectId: purvey.config.project,
    apiEndpoint: '127.0.0.1',
    port: purvey.cloud.port,
    sslCreds: credentials.createInsecure(),
  });
  const project = `projects/${purvey.config.project}`;
  const subscription = `${project}/subscriptions/listener-${randomUUID()}`;
  await subscriber.createSubscription({ name: subscription, topic: `${project}/topics/${topic}` });
  return async () => {
    const heard: Envelope[] = [];
    for (;;) {
      const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: 100 });
      if (!receivedMessages || receivedMessages.length === 0) return heard;
      for (const { message } of receivedMessages)
        heard.push(JSON.parse(Buffer.from(message?.data ?? '').toString('utf8')));
      const ackIds = receivedMessages.map(({ ackId }) => ackId ?? '');
      await subscriber.acknowledge({ subscription, ackIds });
    }
  };
}

/**
 * Drops what the functions of a dead process still say: their calls end only when Google's clients
 * give them up, up to a minute later.
 */
export function ignoreTheDead(): void {
  const { error } = console;
  vi.spyOn(console, 'error').mockImplementation((...said: unknown[]) => {
    const isOfTheDead =
      /^Exception from a finished function|client has already been terminated/.test(
        String(said[0]),
      );
    if (!isOfTheDead) error(...said);
  });
}

/** Resolves at the next injected crash. */
export const nextCrash = (purvey: TestPurvey): Promise<void> =>
  new Promise((resolve) => {
    const stop = purvey.cloud.faults.onCrash(() => {
      stop();
      resolve();
    });
  });
