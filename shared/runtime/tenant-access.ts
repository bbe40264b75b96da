import type { Caller } from './caller.ts';
import { invalid } from './validate.ts';

/**
 * Whose execution data is asked for. An organisation reads its own, which it need not name; another's
 * is not readable and answers as if nothing were there, so that nobody learns what others use.
 *
 * @throws {AppError} `invalid_request` when the operator names no tenant
 */
export function tenantAsked(
  caller: Caller,
  tenantId: string | undefined,
): { readonly tenantId: string; readonly isReadable: boolean } {
  if (caller.kind === 'org')
    return {
      tenantId: tenantId ?? caller.orgSlug,
      isReadable: tenantId === undefined || tenantId === caller.orgSlug,
    };
  if (tenantId === undefined) throw invalid([{ field: 'query.tenant_id', reason: 'is required' }]);
  return { tenantId, isReadable: true };
}
