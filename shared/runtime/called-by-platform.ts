import { type Request, http } from '@google-cloud/functions-framework';

import { AppError, statusOf } from '../errors.ts';
import { audienceOf } from './audience.ts';
import { identify } from './oidc.ts';
import type { ShimmedRequest } from './request-shim.ts';
import { type Services, services } from './services.ts';
import { traceField } from './trace.ts';

/**
 * Registers a handler that Cloud Tasks, Pub/Sub or Cloud Scheduler calls, with the OIDC identity of one
 * of our service accounts; nobody else may, not even the operator. Throwing answers an error status,
 * on which the platform tries again.
 *
 * @param about fields that every log line of one call carries
 */
export function calledByPlatform(
  name: string,
  about: (req: Request) => Record<string, unknown>,
  handle: (req: Request, services: Services) => Promise<void>,
): void {
  http(name, async (req, res) => {
    const given = services();
    const log = given.log.child({
      function: name,
      ...traceField(req, given.config.project),
      ...about(req),
    });
    try {
      await requirePlatform(req, given, audienceOf(given.config, name));
      await handle(req, { ...given, log });
      res.status(200).json({});
    } catch (error) {
      const known =
        error instanceof AppError ? error : new AppError('internal_error', 'It failed.');
      // Another delivery has it in hand: this one comes again, and nothing is wrong.
      if (known.code === 'request_in_progress') log.info(`${name} is under way elsewhere`);
      else log.error({ err: error }, `${name} failed`);
      // 429 and 503 would make Cloud Tasks slow the whole queue.
      const status = statusOf[known.code];
      res.status(status === 429 || status === 503 ? 500 : status).json({
        error: {
          code: known.code,
          message: known.message,
          request_id: (req as unknown as ShimmedRequest).requestId,
        },
      });
    }
  });
}

/** @throws {AppError} `unauthenticated` or `forbidden` */
async function requirePlatform(
  req: Request,
  { config, now }: Services,
  audience: string,
): Promise<void> {
  const token = req.headers.authorization?.match(/^Bearer\s+(\S+)$/i)?.[1];
  const identity = token ? await identify(token, audience, config, now()) : null;
  if (!identity)
    throw new AppError('unauthenticated', 'Only the platform calls this, with an OIDC token.');
  if (!config.service_accounts.includes(identity.email))
    throw new AppError('forbidden', 'This identity may not call handlers.');
}
