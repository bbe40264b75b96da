import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Agent, Dispatcher } from 'undici';

import type { Config } from '../runtime/config.ts';
import type { ProviderAnswer } from '../execution/classify.ts';
import type { Outbound } from '../runtime/services.ts';
import { checkTarget } from './egress.ts';
import { isForbiddenAddress } from './forbidden-address.ts';

const RESPONSE_BYTES_MAX = 64 * 1024;
/** What is read of a body that nobody wants, before its connection is given up instead. */
const DISCARDED_BYTES_MAX = 16 * 1024;
const DISCARD_MS = 1_000;
const USER_AGENT = 'Purvey/1';

class ForbiddenTarget extends Error {
  override readonly name = 'ForbiddenTarget';
}

/** How a name becomes addresses: `dns.lookup` asked for all of them. */
type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** Fails when any answer is forbidden: a name that resolves to both is an attempt to slip through. */
const publicLookup =
  (resolve: Resolve): LookupFunction =>
  (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '', 0);
      const first = addresses[0];
      if (!first || addresses.some(({ address }) => isForbiddenAddress(address)))
        return done(new ForbiddenTarget('resolves to an address that is not public'), '', 0);
      if (options.all) return done(null, addresses);
      done(null, first.address, first.family);
    });
  };

/** The only way out: one connection pool under the egress policy. */
export function createOutbound(
  { allow_insecure_endpoints: insecure }: Pick<Config, 'allow_insecure_endpoints'>,
  resolve: Resolve = lookup,
): Outbound & { close: () => Promise<void> } {
  let agent: Promise<Agent> | undefined;

  async function pool(): Promise<Agent> {
    const { Agent, buildConnector } = await import('undici');
    const connect = buildConnector({
      ...(!insecure && { lookup: publicLookup(resolve) }),
      timeout: 10_000,
    });
    return new Agent({
      keepAliveTimeout: 10_000,
      connections: 16,
      connect: (options, done) =>
        connect(options, (...[error, socket]) => {
          if (error || !socket) return done(error ?? new Error('not connected'), null);
          // Checked once more where it counts: the address we are really connected to.
          if (!insecure && isForbiddenAddress(socket.remoteAddress ?? '')) {
            socket.destroy();
            return done(new ForbiddenTarget('connected to an address that is not public'), null);
          }
          done(null, socket);
        }),
    });
  }

  return {
    async request({ url, method, headers = {}, body, timeoutMs, signal: given, responseBytesMax }) {
      const target = checkTarget(url, insecure);
      if ('reason' in target) return { kind: 'forbidden', reason: target.reason };
      const { request } = await import('undici');
      agent ??= pool();
      const ours = AbortSignal.timeout(timeoutMs);
      const signal = given ? AbortSignal.any([ours, given]) : ours;
      try {
        const response = await request(target.url, {
          dispatcher: await agent,
          method,
          headers: { 'user-agent': USER_AGENT, 'accept-encoding': 'identity', ...headers },
          ...(body !== undefined && { body }),
          signal,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
        });
        return await read(response, responseBytesMax ?? RESPONSE_BYTES_MAX);
      } catch (error) {
        return failureOf(error, signal);
      }
    },
    async close() {
      await (await agent)?.destroy();
    },
  };
}

async function read(response: Dispatcher.ResponseData, bytesMax: number): Promise<ProviderAnswer> {
  if (bytesMax === 0) {
    // A short body is read away, to keep the connection; a stream that never ends is cut off.
    void response.body
      .dump({ limit: DISCARDED_BYTES_MAX, signal: AbortSignal.timeout(DISCARD_MS) })
      .catch(() => undefined);
    return { kind: 'response', ...headOf(response), body: '' };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) return { kind: 'failed', reason: 'response_too_large' };
    chunks.push(chunk);
  }
  // A compressed answer was not asked for; it stays compressed and counts as the bytes it is.
  return { kind: 'response', ...headOf(response), body: Buffer.concat(chunks).toString('utf8') };
}

const headOf = ({ statusCode, headers }: Dispatcher.ResponseData) => ({
  status: statusCode,
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  ),
});

function failureOf(error: unknown, signal: AbortSignal): ProviderAnswer {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof ForbiddenTarget) return { kind: 'forbidden', reason: cause.message };
  const timedOut =
    signal.aborted ||
    (error instanceof Error &&
      ['HeadersTimeoutError', 'BodyTimeoutError', 'ConnectTimeoutError'].includes(error.name));
  return { kind: 'failed', reason: timedOut ? 'timeout' : 'connection_error' };
}
