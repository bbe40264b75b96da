import { homedir } from 'node:os';
import { expect, test } from 'vitest';

import { type ErrorCode, statusOf } from '../../shared/errors.ts';
import { takePermit } from '../../shared/runtime/rate-limit.ts';
import type { Ref } from '../../shared/store/collection.ts';
import { set } from '../../shared/store/decision.ts';
import { type Reply, type TestPurvey, rfqBody } from '../support/purvey.ts';

type Call = Readonly<Parameters<TestPurvey['call']>>;

/** An id of the right form that nothing has. */
export const absentId = (kind: string): string => `${kind}_0000000000000000`;

/** A key of the right form that was never issued. */
export const unknownKey = (prefix: 'aex_pk_live_' | 'pv_org_'): string =>
  `${prefix}${'0'.repeat(64)}`;

export const isoAfter = (purvey: TestPurvey, ms: number): string =>
  new Date(purvey.clock.nowMs() + ms).toISOString();

/** Every stored document with the time of its last write; open endpoints may lease permits at any time. */
export const contents = (purvey: TestPurvey): Map<string, number> =>
  new Map(
    [...purvey.cloud.firestore.snapshot().values()]
      .map(({ name, updateTime }) => [name.replace(/^.*\/documents\//, ''), updateTime] as const)
      .filter(([name]) => !name.startsWith('rate_limits/')),
  );

/** The paths of the documents of one collection, or of all beneath one document. */
export const storedIn = (purvey: TestPurvey, path: string): string[] =>
  [...contents(purvey).keys()].filter((name) => name.startsWith(`${path}/`));

/** What is stored, and what was ever handed on; that a call of a provider was counted is no effect. */
const effects = (purvey: TestPurvey) => {
  const { tasks, messages } = purvey.cloud.meter.read();
  const documents = [...contents(purvey)].filter(([name]) => !/^provider_(health|exec)/.test(name));
  return { documents, tasks, messages };
};

/** Runs `work` and holds that it changed no document, enqueued no task and published nothing. */
export async function changesNothing<T>(purvey: TestPurvey, work: () => Promise<T>): Promise<T> {
  await purvey.settle();
  const before = effects(purvey);
  const result = await work();
  await purvey.settle();
  expect(effects(purvey)).toEqual(before);
  return result;
}

/** Nothing of the machine, the code or anybody's keys, wherever it would stand. */
export function expectNothingLeaked(purvey: TestPurvey, { headers, body }: Reply): void {
  const told = JSON.stringify({ headers: [...headers], body });
  for (const secret of [
    purvey.operatorKey,
    purvey.config.hmac_key,
    process.cwd(),
    homedir(),
    'node_modules',
  ])
    expect(told).not.toContain(secret);
  expect(told).not.toMatch(/(?:aex_[ps]k_live_|pv_org_)[0-9a-f]{8}|whsec_[A-Za-z0-9+/]{8}/);
  expect(told).not.toMatch(/\bat .+:\d+:\d+|\.[tj]s\b|zod|undefined/i);
}

/** The error of a refusal, and the headers it came with. */
interface Refused {
  readonly code: ErrorCode;
  readonly message: string;
  readonly request_id: string;
  readonly details?: Reply['body'];
  readonly headers: Headers;
}

/**
 * Makes a call that must be refused as every refusal is documented: the code's status, the envelope, the
 * request id, no effect and no leak.
 */
export async function refused(purvey: TestPurvey, call: Call): Promise<Refused> {
  const reply = await changesNothing(purvey, () => purvey.call(...call));
  expect(reply.body).toEqual({ error: expect.any(Object) });
  const { error } = reply.body;
  const { code, message, request_id, details = {}, ...rest } = error;
  expect(rest).toEqual({});
  expect(details).toBeInstanceOf(Object);
  for (const text of [code, message, request_id]) expect(text).toMatch(/\S/);
  expect(reply.status).toBe(statusOf[code as ErrorCode]);
  expect(reply.status).toBeLessThan(500);
  expect(reply.headers.get('x-request-id')).toBe(request_id);
  expect(reply.headers.get('content-type')).toMatch(/^application\/json\b/);
  expectNothingLeaked(purvey, reply);
  return { ...error, headers: reply.headers };
}

/**
 * Holds that both calls are refused exactly alike, so that nobody learns what others have, and returns
 * that refusal.
 */
export async function answeredAlike(
  purvey: TestPurvey,
  others: Call,
  absent: Call,
): Promise<Refused> {
  const theirs = await refused(purvey, withRequestId(others));
  const nothing = await refused(purvey, withRequestId(absent));
  const told = ({ headers, ...error }: Refused) => ({
    headers: [...headers].filter(([name]) => name !== 'date'),
    text: JSON.stringify(error),
  });
  expect(told(theirs)).toEqual(told(nothing));
  return theirs;
}

/** One request id for both, so that even that is equal. */
const withRequestId = ([method, path, options]: Call): Call => [
  method,
  path,
  { ...options, headers: { ...options?.headers, 'x-request-id': 'req_same' } },
];

const asMatcher = (reason: string | RegExp): unknown =>
  typeof reason === 'string' ? reason : expect.stringMatching(reason);

/** What is wrong, how the good body is changed, which field is named, and the reason given. */
type BadBody = readonly [
  what: string,
  patch: Readonly<Record<string, unknown>>,
  field: string,
  reason: string | RegExp,
];

/**
 * One test for each row: the good body of `call`, with the row's patch, is refused as invalid. A member
 * that is patched to undefined is missing.
 */
export function refusesBodies(
  purvey: () => TestPurvey,
  call: () => Call | Promise<Call>,
  rows: readonly BadBody[],
): void {
  test.each(rows)('refuses %s', async (_, patch, field, reason) => {
    const [method, path, options] = await call();
    const body = { ...(options?.body as Record<string, unknown>), ...patch };
    const error = await refused(purvey(), [method, path, { ...options, body }]);
    expect(error.code).toBe('invalid_request');
    expect(error.details).toContainEqual({ field: `body.${field}`, reason: asMatcher(reason) });
  });
}

/** One test for each row: `path` with the row's query is refused as invalid. */
export function refusesQueries(
  purvey: () => TestPurvey,
  call: () => Call | Promise<Call>,
  rows: readonly (readonly [query: string, field: string, reason: string | RegExp])[],
): void {
  test.each(rows)('refuses the query %s', async (query, field, reason) => {
    const [method, path, options] = await call();
    const joined = `${path}${path.includes('?') ? '&' : '?'}${query}`;
    const error = await refused(purvey(), [method, joined, options]);
    expect(error.code).toBe('invalid_request');
    expect(error.details).toContainEqual({ field: `query.${field}`, reason: asMatcher(reason) });
  });
}

const cursorOf = (...values: unknown[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url');

/** What every list refuses, whatever it lists. */
export const badPages = [
  ['limit=0', 'limit', /least 1/],
  ['limit=101', 'limit', /most 100/],
  ['limit=some', 'limit', /number/],
  ['limit=1.5', 'limit', /whole number/],
  ['cursor=!', 'cursor', /is not a cursor/],
  [`cursor=${cursorOf()}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf(1)}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf({})}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf('a/b')}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf('__x__')}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf('..')}`, 'cursor', /is not a cursor/],
  [`cursor=${cursorOf('a', 'b', 'c')}`, 'cursor', /is not a cursor/],
  [`cursor=${'A'.repeat(1_025)}`, 'cursor', /1,?024/],
  ['cursor=a&cursor=b', 'cursor', /string|text/],
] as const;

/** Follows `next_cursor` with one entry a page, and returns all entries of `field`. */
export async function pagedThrough(
  purvey: TestPurvey,
  [method, path, options]: Call,
  field: string,
): Promise<unknown[]> {
  const entries: unknown[] = [];
  let cursor: string | null = null;
  do {
    const page: Reply = await purvey.call(
      method,
      `${path}${path.includes('?') ? '&' : '?'}limit=1${cursor === null ? '' : `&cursor=${cursor}`}`,
      options,
    );
    expect(page.status).toBe(200);
    expect(page.body[field].length).toBeLessThanOrEqual(1);
    entries.push(...page.body[field]);
    cursor = page.body.next_cursor;
  } while (cursor !== null);
  return entries;
}

/** The body of an answer that must not be a refusal: for what a test builds on. */
export async function ok(reply: Promise<Reply>): Promise<Reply['body']> {
  const { status, body } = await reply;
  if (status >= 300)
    throw new Error(`a call to build on answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** A provider as registration leaves it, with its keys. */
export async function registerProvider(
  purvey: TestPurvey,
  body: { name: string; endpoint: string; [field: string]: unknown },
): Promise<{ id: string; key: string; secret: string }> {
  const { provider_id, api_key, api_secret } = await ok(
    purvey.call('POST', '/v1/providers', { body }),
  );
  return { id: provider_id, key: api_key, secret: api_secret };
}

/** Changes a stored document behind the API's back: a state that no route leads to yet. */
export async function changeStored<Doc extends object>(
  { services: { store } }: TestPurvey,
  place: Ref<Doc>,
  change: (doc: Doc) => Partial<Doc>,
): Promise<void> {
  const doc = await store.get(place);
  if (!doc) throw new Error(`${place.path} is not stored`);
  await store.write([set(place, { ...doc, ...change(doc) })]);
}

/** An RFQ of the buyer, planned and delivered. */
export async function openRfq(
  purvey: TestPurvey,
  buyer: { key: string },
  given: Record<string, unknown> = {},
): Promise<string> {
  const { rfq_id } = await ok(
    purvey.call('POST', '/v1/rfqs', { as: { org: buyer.key }, body: rfqBody(purvey, given) }),
  );
  await purvey.settle();
  return rfq_id;
}

/** Takes what is left of a limit in the present window, as its users would have. */
export async function exhaust(
  { services }: TestPurvey,
  bucket: string,
  { limit, windowS }: { limit: number; windowS: number },
): Promise<void> {
  await Promise.allSettled(
    Array.from({ length: limit }, () => takePermit(services, bucket, limit, windowS)),
  );
}

export const statusesOf = (replies: readonly Reply[]): number[] =>
  replies.map(({ status }) => status).toSorted((a, b) => a - b);

/** Everything that is stored, as text: to look for what must not be in it. */
export const storedText = (purvey: TestPurvey): string =>
  JSON.stringify([...purvey.cloud.firestore.snapshot().values()]);

/** A key of each kind: the organisation's has a scope that no marketplace route asks for. */
export async function keysOfEachKind(
  purvey: TestPurvey,
  agentUrl: string,
): Promise<{ provider: { provider: string }; org: { org: string } }> {
  const { key } = await registerProvider(purvey, { name: 'Somebody', endpoint: agentUrl });
  await ok(
    purvey.call('POST', '/api/v1/orgs', {
      as: 'operator',
      body: { org_slug: 'acme', name: 'Acme' },
    }),
  );
  const { api_key } = await ok(
    purvey.call('POST', '/api/v1/orgs/acme/keys', {
      as: 'operator',
      body: { name: 'healthy', scopes: ['costs:read'] },
    }),
  );
  return { provider: { provider: key }, org: { org: api_key } };
}
