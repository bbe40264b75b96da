import { type Request, type Response, http } from '@google-cloud/functions-framework';
import type { z } from 'zod';

import { AppError, type ErrorCode, statusOf } from '../errors.ts';
import { clientAddress, networkOf } from './address.ts';
import { audienceOf } from './audience.ts';
import { authenticate } from './authenticate.ts';
import { authorize } from './authorize.ts';
import { type Caller, callerName } from './caller.ts';
import { type RequestContext, createContext } from './context.ts';
import { hmacSha256Hex } from './hmac.ts';
import { type Answer, idempotencyKeyOf, oncePerKey, scopedKey } from './idempotency.ts';
import { type HttpFunction, entryOf, manifest } from './manifest.ts';
import { matchPath } from './path.ts';
import { takePermit } from './rate-limit.ts';
import type { ShimmedRequest } from './request-shim.ts';
import { type Services, services } from './services.ts';
import { traceField } from './trace.ts';
import { agreesWithPath, validated } from './validate.ts';

type Schema = z.ZodType;
/** A reply is only sent: what a handler returns may be read-only at any depth. */
type ReadonlyDeep<T> = T extends readonly (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> }
    : T;
type Output<S extends Schema | undefined> = S extends Schema ? z.output<S> : undefined;

/** All that an endpoint promises; the OpenAPI document is generated from it. */
export interface EndpointSpec<
  Query extends Schema | undefined,
  Body extends Schema | undefined,
  Reply extends Schema,
> {
  /** One line, imperative. */
  readonly summary: string;
  readonly description?: string;
  /** Unset: the query is ignored. */
  readonly query?: Query;
  /** Unset: the body is ignored. */
  readonly body?: Body;
  readonly reply: Reply;
  /** Defaults to 200. */
  readonly status?: 200 | 201 | 202;
  /** Codes it can answer beside those that every endpoint can. */
  readonly errors?: readonly ErrorCode[];
  /** Top-level fields of the reply that are shown once and never stored. */
  readonly secrets?: readonly string[];
  readonly handle: (
    input: {
      readonly params: Readonly<Record<string, string>>;
      readonly query: Output<Query>;
      readonly body: Output<Body>;
    },
    context: RequestContext,
  ) => Promise<ReadonlyDeep<z.input<Reply>>>;
}

/** What a function's module exports by default: its name and what it promises. */
export interface Endpoint {
  readonly kind: 'http';
  readonly name: string;
  readonly spec: EndpointSpec<Schema | undefined, Schema | undefined, Schema>;
}

/**
 * Registers an HTTP function: authenticate, limit, parse, call `handle`, check and send the reply.
 * Method, path and callers are the manifest's. Path parameters are read from the path alone and never
 * mixed with the query or the body.
 */
export function endpoint<
  Reply extends Schema,
  Query extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
>(name: string, spec: EndpointSpec<Query, Body, Reply>): Endpoint {
  const registered: Endpoint = { kind: 'http', name, spec: spec as never };
  http(name, (req, res) => respond(registered, req, res));
  return registered;
}

async function respond({ name, spec }: Endpoint, req: Request, res: Response): Promise<void> {
  const entry = entryOf('http', name);
  const shared = services();
  const requestId = (req as unknown as ShimmedRequest).requestId ?? 'req_unknown';
  const log = shared.log.child({
    request_id: requestId,
    function: name,
    ...traceField(req, shared.config.project),
  });
  const given = { ...shared, log };
  const startedMs = performance.now();
  let caller: Caller | undefined;
  let failure: unknown;
  let answer: Answer;
  try {
    const params = route(entry, req);
    // Before any look-up: on an open endpoint even a wrong key costs a read.
    await limit(entry, req, given);
    caller = await authenticate(req, given, audienceOf(given.config, name), {
      lenient: entry.callers.includes('public'),
    });
    authorize(caller, entry, params);
    answer = await run(name, spec, entry, { req, params, caller, requestId }, given);
  } catch (error) {
    failure = error;
    answer = errorAnswer(error, requestId);
    const retryAfterS = error instanceof AppError ? error.retryAfterS : undefined;
    if (retryAfterS !== undefined) res.setHeader('retry-after', String(retryAfterS));
    else if (answer.status === 503) res.setHeader('retry-after', '5');
    if (error instanceof AppError && error.code === 'method_not_allowed')
      res.setHeader('allow', methodsAt(entry.path).join(', '));
  }
  log[answer.status >= 500 ? 'error' : 'info'](
    {
      caller: caller && callerName(caller),
      httpRequest: {
        requestMethod: req.method,
        requestUrl: entry.path,
        status: answer.status,
        latency: `${((performance.now() - startedMs) / 1_000).toFixed(4)}s`,
      },
      ...(failure instanceof AppError && { code: failure.code }),
      ...(answer.status >= 500 && { err: failure }),
    },
    `${entry.method} ${entry.path} ${answer.status}`,
  );
  res.status(answer.status).type('application/json').send(JSON.stringify(answer.body));
}

function route(entry: HttpFunction, req: Request): Record<string, string> {
  const params = matchPath(entry.path, req.path);
  if (!params) throw new AppError('not_found', `Nothing is served at ${req.path}.`);
  if (req.method !== entry.method)
    throw new AppError(
      'method_not_allowed',
      `${req.method} is not served here; use ${methodsAt(entry.path).join(' or ')} ${entry.path}.`,
    );
  return params;
}

/** Every method that some function serves at the same path. */
const methodsAt = (path: string): string[] =>
  Object.values(manifest().http).flatMap((other) => (other.path === path ? [other.method] : []));

/** Whatever key is sent along counts: keys to providers are free. The operator's is checked next. */
async function limit(entry: HttpFunction, req: Request, given: Services): Promise<void> {
  if (!entry.limit || req.headers['x-operator-key'] !== undefined) return;
  const { limits, trusted_hops: trustedHops } = given.config;
  const { per_address: perAddress, global, window_s: windowS } = limits[entry.limit];
  const network = networkOf(clientAddress(req, trustedHops));
  await takePermit(given, `${entry.limit}:${network}`, perAddress, windowS);
  await takePermit(given, entry.limit, global, windowS);
}

async function run(
  name: string,
  spec: Endpoint['spec'],
  entry: HttpFunction,
  request: {
    req: Request;
    params: Record<string, string>;
    caller: Caller;
    requestId: string;
  },
  given: Services,
): Promise<Answer> {
  const { req, params, caller, requestId } = request;
  agreesWithPath(params, req.body, 'body');
  agreesWithPath(params, req.query, 'query');
  const input = {
    params,
    query: spec.query && validated(spec.query, req.query, 'query'),
    body: spec.body && validated(spec.body, req.body ?? {}, 'body'),
  };
  const key = entry.method === 'POST' ? idempotencyKeyOf(req) : null;
  const scoped = key === null ? null : scopedKey(caller, name, key);
  const canonical = `${req.method} ${req.originalUrl}\n${JSON.stringify(req.body ?? null)}`;
  // Key and request together name the command: the same key for another request is another command.
  const commandKey = scoped && `${scoped}\n${hmacSha256Hex(given.config.hmac_key, canonical)}`;
  const work = async (): Promise<Answer> => {
    const context = { ...createContext(given, requestId, commandKey), caller };
    const reply = await spec.handle(input as never, context);
    return { status: spec.status ?? 200, body: spec.reply.parse(reply) };
  };
  if (scoped === null) return work();
  return oncePerKey(
    given,
    {
      scopedKey: scoped,
      request: canonical,
      leaseMs: entry.timeout_s * 1_000,
    },
    spec.secrets ?? [],
    work,
  );
}

function errorAnswer(error: unknown, requestId: string): Answer {
  const known =
    error instanceof AppError
      ? error
      : new AppError('internal_error', 'Something went wrong on our side; it has been logged.');
  return {
    status: statusOf[known.code],
    body: {
      error: {
        code: known.code,
        message: known.message,
        request_id: requestId,
        ...(known.details !== undefined && { details: known.details }),
      },
    },
  };
}
