import type { IncomingMessage } from 'node:http';

import { AppError } from '../errors.ts';
import { identify } from './oidc.ts';
import type { Services } from './services.ts';

/**
 * Task, push and schedule handlers are called by the platform alone, with the OIDC identity of one of
 * our service accounts; not even the operator may.
 *
 * @throws {AppError} `unauthenticated` or `forbidden`
 */
export async function requirePlatform(
  req: Pick<IncomingMessage, 'headers'>,
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
