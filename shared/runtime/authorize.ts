import { AppError, notFound } from '../errors.ts';
import type { Caller } from './caller.ts';
import type { HttpFunction } from './manifest.ts';

/**
 * Decides whether `caller` may use a route at all. Whose resource it is follows from the path: a
 * provider's key reaches `{provider_id}` of its own, an organisation's key `{org}` of its own, and
 * another's answers as if it were absent.
 *
 * @throws {AppError} `unauthenticated`, `forbidden` or `not_found`
 */
export function authorize(
  caller: Caller,
  { callers }: Pick<HttpFunction, 'callers'>,
  params: Readonly<Record<string, string>>,
): void {
  if (caller.kind === 'operator' || callers.includes('public')) return;
  switch (caller.kind) {
    case 'public':
      throw new AppError('unauthenticated', `This endpoint needs ${proofs(callers)}.`);
    case 'service':
      if (!callers.includes('service')) throw refused(callers);
      return;
    case 'provider':
      if (!callers.includes('provider')) throw refused(callers);
      if ('provider_id' in params && params['provider_id'] !== caller.providerId)
        throw notFound('provider');
      return;
    case 'org': {
      const scopes = callers.flatMap((name) => (name.startsWith('org:') ? [name.slice(4)] : []));
      if (scopes.length === 0) throw refused(callers);
      if ('org' in params && params['org'] !== caller.orgSlug) throw notFound('organisation');
      if (!scopes.some((scope) => caller.scopes.includes(scope)))
        throw new AppError('forbidden', `This key lacks the scope ${scopes.join(' or ')}.`, {
          details: { required_scopes: scopes },
        });
      return;
    }
  }
}

const refused = (callers: readonly string[]) =>
  new AppError('forbidden', `This endpoint needs ${proofs(callers)}.`);

function proofs(callers: readonly string[]): string {
  const scopes = callers.flatMap((caller) => (caller.startsWith('org:') ? [caller.slice(4)] : []));
  return [
    callers.includes('provider') && "a provider's key (Authorization: Bearer aex_pk_live_…)",
    scopes.length > 0 &&
      `an organisation's key with the scope ${scopes.join(' or ')} (X-API-Key: pv_org_…)`,
    callers.includes('service') && 'the OIDC identity of an allowed service account',
    'the operator key (X-Operator-Key)',
  ]
    .filter((proof) => proof !== false)
    .join(', or ');
}
