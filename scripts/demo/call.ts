import { z } from 'zod';

/** Purvey answered with an error. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly code: string;
  /** Status, code and message, as Purvey gave them. */
  readonly reason: string;

  constructor(where: string, status: number, code: string, message: string) {
    const reason = `${status} ${code}: ${message}`;
    super(`${where} answered ${reason}`);
    this.status = status;
    this.code = code;
    this.reason = reason;
  }
}

/** Purvey did not answer, or not as its documentation says. */
class Unusable extends Error {
  override readonly name = 'Unusable';
}

const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }),
});

export type Headers = Readonly<Record<string, string>>;

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A path of the instance, or a whole address that the instance gave out. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly body?: unknown;
}

const ANSWER_TIMEOUT_MS = 30_000;
/** As many as a list gives at once. */
const PAGE = '100';

/** How each kind of caller proves who it is. */
export const asOperator = (key: string): Headers => ({ 'x-operator-key': key });
export const asProvider = (key: string): Headers => ({ authorization: `Bearer ${key}` });
export const asOrg = (key: string): Headers => ({ 'x-api-key': key });

/** Calls the instance at `url`, and knows its answers from its errors. */
export function caller(url: string) {
  async function call<T>(reply: z.ZodType<T>, asked: Call): Promise<T> {
    const { method, path, query = {}, headers, body } = asked;
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
    const answer = await fetch(target, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw new Unusable(`Nothing answers at ${target.origin}. Is Purvey running there?`, {
        cause,
      });
    });
    const content = parseJson(await answer.text());
    const where = `${method} ${target.pathname}`;
    if (!answer.ok) {
      const refusal = ErrorBody.safeParse(content);
      if (!refusal.success)
        throw new Unusable(`${where} answered ${answer.status} without an error.`);
      const { code, message } = refusal.data.error;
      throw new Refused(where, answer.status, code, message);
    }
    const parsed = reply.safeParse(content);
    if (parsed.success) return parsed.data;
    throw new Unusable(`${where} answered in an unknown form.\n${z.prettifyError(parsed.error)}`);
  }

  /** All pages of a list. */
  async function pages<T>(asked: Omit<Call, 'method' | 'body'>, read: PageReader<T>): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null | undefined;
    do {
      const query = { ...asked.query, limit: PAGE, ...(cursor && { cursor }) };
      const page = read(await call(z.unknown(), { ...asked, method: 'GET', query }));
      items.push(...page.items);
      cursor = page.next;
    } while (cursor);
    return items;
  }

  return { call, pages };
}

type PageReader<T> = (page: unknown) => {
  readonly items: readonly T[];
  readonly next: string | null | undefined;
};

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
