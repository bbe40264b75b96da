import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';

import type { DemoAgent, Offer } from './agents.ts';
import type { Api } from './api.ts';
import { Refused } from './call.ts';

/** What an agent needs to know a genuine webhook and to quote. */
interface Credentials {
  readonly apiKey: string;
  readonly webhookSecret: string;
}

export type AgentEvent =
  | { readonly kind: 'answered'; readonly attempt: number; readonly status: number }
  | { readonly kind: 'ignored'; readonly attempt: number }
  | { readonly kind: 'quoted'; readonly offer: Offer; readonly quoteId: string }
  | { readonly kind: 'refused'; readonly offer: Offer; readonly refusal: Refused }
  | { readonly kind: 'broken'; readonly error: unknown };

export interface AgentServer {
  readonly endpoint: string;
  readonly webhookUrl: string;
  /** Genuine deliveries by webhook-id: how often each came. */
  readonly attempts: ReadonlyMap<string, number>;
  /** Until it has credentials, an agent takes no webhook for genuine. */
  employ(credentials: Credentials): void;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 256 * 1024;
const FAILURES_BEFORE_SUCCESS = 2;
const Published = z.object({
  type: z.literal('rfq.published'),
  data: z.object({ rfq_id: z.string(), quotes_url: z.url() }),
});

/** Starts an agent on a port of its own, loopback only. */
export async function openAgent(
  { temper, offers }: DemoAgent,
  api: Pick<Api, 'quote'>,
  report: (event: AgentEvent) => void,
): Promise<AgentServer> {
  const attempts = new Map<string, number>();
  let credentials: Credentials | undefined;

  async function receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req);
    const id = String(req.headers['webhook-id']);
    if (!credentials || !isGenuine(body, req.headers, credentials.webhookSecret))
      return answer(res, 401, { error: 'signature does not verify' });
    const published = Published.parse(JSON.parse(body));
    const attempt = (attempts.get(id) ?? 0) + 1;
    attempts.set(id, attempt);
    if (temper === 'never_answers') return report({ kind: 'ignored', attempt });
    const fails = temper === 'fails_twice' && attempt <= FAILURES_BEFORE_SUCCESS;
    answer(res, fails ? 500 : 200, fails ? { error: 'out of memory' } : { received: id });
    report({ kind: 'answered', attempt, status: fails ? 500 : 200 });
    // A delivery may come twice; its id says that it is the same work.
    const isFirstSuccess = attempt === (temper === 'fails_twice' ? FAILURES_BEFORE_SUCCESS + 1 : 1);
    if (isFirstSuccess) {
      const { apiKey } = credentials;
      await offerUntilTaken({ api, apiKey, quotesUrl: published.data.quotes_url, offers, report });
    }
  }

  const server = createServer((req, res) => {
    const route = `${req.method} ${req.url}`;
    if (route === 'GET /') return answer(res, 200, { status: 'ready' });
    if (route !== 'POST /webhook') return answer(res, 404, { error: 'not here' });
    receive(req, res).catch((error: unknown) => {
      if (!res.headersSent) answer(res, 400, { error: 'unusable' });
      report({ kind: 'broken', error });
    });
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', done);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    webhookUrl: `${endpoint}/webhook`,
    attempts,
    employ(given) {
      credentials = given;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

interface Bidding {
  readonly api: Pick<Api, 'quote'>;
  readonly apiKey: string;
  readonly quotesUrl: string;
  readonly offers: readonly Offer[];
  readonly report: (event: AgentEvent) => void;
}

/** Offers in order until one is taken: what is refused would be refused again. */
export async function offerUntilTaken(bidding: Bidding): Promise<void> {
  const { api, apiKey, quotesUrl, offers, report } = bidding;
  for (const offer of offers) {
    try {
      const { quote_id } = await api.quote(apiKey, quotesUrl, offer);
      return report({ kind: 'quoted', offer, quoteId: quote_id });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      report({ kind: 'refused', offer, refusal: error });
    }
  }
}

/** Whether signature and time stamp verify, by an implementation that is not Purvey's own. */
function isGenuine(body: string, headers: IncomingMessage['headers'], secret: string): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answer(res: ServerResponse, status: number, content: object): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(content));
}
