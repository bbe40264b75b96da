import { z } from 'zod';

import { ProviderError, providerErrorOf } from './errors.ts';
import { REASON_CODES, type ReasonCode } from './reasons.ts';
import { retryAfterMs } from './retry-after.ts';

/** What came back from the network. */
export type ProviderAnswer =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** Our own policy forbids the target; nothing was sent. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly reason: 'timeout' | 'connection_error' | 'response_too_large';
    };

type Response = Extract<ProviderAnswer, { kind: 'response' }>;

const oneOrMore = <Item extends z.ZodType>(item: Item) => z.union([item, z.array(item).min(1)]);
const listOf = <Item>(given: Item | readonly Item[]): readonly Item[] =>
  Array.isArray(given) ? given : [given as Item];

const Status = z.union([z.int().min(100).max(599), z.string().regex(/^[1-5]xx$/)]);
const XML_PATH = '$xml.';
/**
 * Where a value is in the body: `error.code`, `errors.0.reason`, or with `*` for any element or
 * member, `error.details.*.reason`. `$xml.Code` is the text of the first `<Code>` of an XML body.
 */
const Path = z.string().regex(/^(?:\$xml\.[\w:-]+|(?!\$xml\.)[^.]+(?:\.[^.]+)*)$/);
const Literal = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Holds when any value at any of its paths does. */
const paths = { path: oneOrMore(Path) };
const Condition = z.union([
  z.strictObject({ ...paths, equals: Literal }),
  z.strictObject({ ...paths, one_of: z.array(Literal).min(1) }),
  /** The value contains this text, or one of these, in upper or lower case. */
  z.strictObject({ ...paths, matches: oneOrMore(z.string().min(1)) }),
]);
type Condition = z.infer<typeof Condition>;

/** How one provider says what went wrong, where its status does not. */
export const ErrorRule = z
  .strictObject({
    /** `429`, `5xx`, or several. Without it every status but 2xx: a success must be named. */
    status: oneOrMore(Status).optional(),
    /** All must hold. */
    when: z.array(Condition).min(1).optional(),
    reason: z.enum(REASON_CODES).exclude(['circuit_open']),
    /** For logs and callers; it follows the status. */
    message: z.string().min(1).optional(),
  })
  .refine(
    ({ status, when }) => status !== undefined || when !== undefined,
    'must have a status or a condition',
  );
export type ErrorRule = z.infer<typeof ErrorRule>;

/** `configs/error-rules.yaml`: the rules of each provider, by its name in the catalogue. */
export const ErrorRules = z.record(z.string(), z.array(ErrorRule));

const reasonsByStatus: Readonly<Record<number, ReasonCode>> = {
  401: 'auth_failed',
  402: 'quota_exhausted',
  403: 'auth_failed',
  408: 'timeout',
  425: 'dependency_unavailable',
  429: 'rate_limited',
  501: 'bad_request',
  504: 'timeout',
  505: 'bad_request',
};

const messages = {
  timeout: 'the provider did not answer in time',
  connection_error: 'no connection to the provider could be made, or it broke',
  response_too_large: 'the provider answered with more than it may',
  response_invalid: "the provider's answer could not be read",
  internal_error: 'the call failed for a reason of ours',
} as const;

/**
 * What an answer means: by the first of `rules` that matches, else by its status. Never throws, and
 * no message holds anything of a body, which may echo a credential.
 *
 * @param at when the answer came, for `Retry-After`
 * @returns null for a success
 */
export function classify(
  answer: ProviderAnswer,
  at: Date,
  rules: readonly ErrorRule[] = [],
): ProviderError | null {
  switch (answer.kind) {
    case 'forbidden':
      return providerErrorOf('bad_request', `the provider's address ${answer.reason}`);
    case 'failed':
      return providerErrorOf(
        answer.reason === 'response_too_large' ? 'response_invalid' : answer.reason,
        messages[answer.reason],
      );
    case 'response':
      return classifyResponse(answer, at, rules);
  }
}

function classifyResponse(
  response: Response,
  at: Date,
  rules: readonly ErrorRule[],
): ProviderError | null {
  const { status, headers, body } = response;
  const json = lazyJson(body);
  const rule = rules.find(
    (candidate) =>
      concerns(candidate, status) &&
      (candidate.when ?? []).every((condition) => holds(condition, body, json)),
  );
  const reason = rule?.reason ?? reasonOf(status);
  if (reason === null) return null;
  const why = rule?.message ?? remarkOn(status);
  return providerErrorOf(reason, `the provider answered ${status}${why && `: ${why}`}`, {
    httpStatus: status,
    retryAfterMs: retryAfterMs(headers, body.includes('"retryDelay"') ? json() : null, at),
  });
}

/** Parses at the first call; undefined for what is not JSON. */
function lazyJson(text: string): () => unknown {
  let parsed: { readonly value: unknown } | null = null;
  return () => (parsed ??= { value: jsonOf(text) }).value;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const classOf = (status: number): number => Math.floor(status / 100);

const concerns = (rule: ErrorRule, status: number): boolean =>
  rule.status === undefined
    ? classOf(status) !== 2
    : listOf(rule.status).some((given) =>
        typeof given === 'number' ? given === status : given === `${classOf(status)}xx`,
      );

function holds(condition: Condition, body: string, json: () => unknown): boolean {
  const values = listOf(condition.path).flatMap((path) =>
    path.startsWith(XML_PATH)
      ? elementText(body, path.slice(XML_PATH.length))
      : valuesAt(json(), path),
  );
  return values.some((value) => meets(value, condition));
}

function meets(value: unknown, condition: Condition): boolean {
  if ('equals' in condition) return value === condition.equals;
  if ('one_of' in condition) return condition.one_of.some((literal) => literal === value);
  if (typeof value !== 'string') return false;
  const text = value.toLowerCase();
  return listOf(condition.matches).some((part) => text.includes(part.toLowerCase()));
}

function valuesAt(json: unknown, path: string): unknown[] {
  let found: unknown[] = [json];
  for (const step of path.split('.')) found = found.flatMap((value) => membersOf(value, step));
  return found;
}

function membersOf(value: unknown, step: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (step === '*') return Object.values(value);
  return Object.hasOwn(value, step) ? [Reflect.get(value, step)] : [];
}

/** Enough for the flat error bodies that AWS sends; no parser is needed. */
function elementText(body: string, name: string): string[] {
  const [, rest] = body.split(`<${name}>`, 2);
  const [text, end] = rest?.split(`</${name}>`, 2) ?? [];
  return text !== undefined && end !== undefined ? [text.trim()] : [];
}

/** Null for a success. */
function reasonOf(status: number): ReasonCode | null {
  switch (classOf(status)) {
    case 2:
      return null;
    case 3:
    case 4:
      return reasonsByStatus[status] ?? 'bad_request';
    case 5:
      return reasonsByStatus[status] ?? 'dependency_unavailable';
    default:
      return 'response_invalid';
  }
}

function remarkOn(status: number): string {
  switch (classOf(status)) {
    case 3:
      return 'redirects are not followed';
    case 2:
    case 4:
    case 5:
      return '';
    default:
      return 'not a usable status';
  }
}

const reasonsByCode: Readonly<Record<string, 'connection_error' | 'timeout'>> = {
  ECONNREFUSED: 'connection_error',
  ECONNRESET: 'connection_error',
  ECONNABORTED: 'connection_error',
  EHOSTUNREACH: 'connection_error',
  ENETUNREACH: 'connection_error',
  ENOTFOUND: 'connection_error',
  EAI_AGAIN: 'connection_error',
  EPIPE: 'connection_error',
  UND_ERR_SOCKET: 'connection_error',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
};

/** How far `cause` is followed; a cycle ends here too. */
const CAUSES_MAX = 5;

/**
 * The canonical error for whatever was thrown, found along `cause`; `internal_error` for what is not
 * known. Its message tells nothing of the original, which is its `cause`.
 */
export function errorOf(thrown: unknown): ProviderError {
  let link = thrown;
  for (let depth = 0; depth < CAUSES_MAX; depth++) {
    if (link instanceof ProviderError) return link;
    if (!(link instanceof Error)) break;
    const reason = reasonOfThrown(link);
    if (reason !== null) return providerErrorOf(reason, messages[reason], { cause: thrown });
    link = link.cause;
  }
  return providerErrorOf('internal_error', messages.internal_error, { cause: thrown });
}

function reasonOfThrown(
  error: Error & { readonly code?: unknown },
): 'connection_error' | 'timeout' | 'response_invalid' | null {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'timeout';
  if (error instanceof z.ZodError) return 'response_invalid';
  // Only what JSON.parse throws: a regular expression of ours that is wrong is our fault.
  if (error instanceof SyntaxError && error.message.includes('JSON')) return 'response_invalid';
  return typeof error.code === 'string' && Object.hasOwn(reasonsByCode, error.code)
    ? (reasonsByCode[error.code] ?? null)
    : null;
}
