import { AppError, notFound } from '../errors.ts';
import { withProvider } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { type IssuedKeys, revocations } from './issued-keys.ts';
import { type Provider, type ProviderStatus, providers } from './schema.ts';
import { statusChanged } from './status-changed.ts';
import { transitions } from './transitions.ts';

export interface ChangeStatusCommand extends Command {
  readonly provider_id: string;
  readonly status: ProviderStatus;
  /** An operator's; null where an owner archives its provider. */
  readonly reason: string | null;
  /** What ends when the provider is archived; for every other status it is left alone. */
  readonly issued: IssuedKeys;
}

export const changeStatusRefs = ({ provider_id }: Pick<ChangeStatusCommand, 'provider_id'>) => ({
  provider: ref(providers, provider_id),
  match: ref(matches, provider_id),
});

/**
 * Gives a provider another status; who matches follows in the same commit. INACTIVE archives it: nothing
 * matches it and none of its keys works any more, but its name stays taken. To ask for the status that it
 * has changes nothing.
 *
 * @throws {AppError} `not_found`; `invalid_transition` where the table of transitions has none
 */
export function changeStatus(
  { provider, match }: Docs<ReturnType<typeof changeStatusRefs>>,
  { provider_id, status, reason, issued, at }: ChangeStatusCommand,
): Decision<Provider> {
  if (!provider || !match) throw notFound('provider');
  const ended = status === 'INACTIVE' ? revocations(issued) : [];
  if (provider.status === status) return { writes: ended, reply: provider };
  if (!transitions[provider.status].includes(status)) throw refused(provider.status, status);
  const { status_reason: _former, ...kept } = provider;
  const next: Provider = {
    ...kept,
    status,
    ...(reason !== null && { status_reason: reason }),
    updated_at: at.toISOString(),
    version: provider.version + 1,
  };
  return {
    writes: [
      set(ref(providers, provider_id), next),
      set(ref(matches, provider_id), withProvider(match, next, at)),
      ...ended,
    ],
    events: [statusChanged(provider, next, reason ?? undefined)],
    reply: next,
  };
}

function refused(from: ProviderStatus, to: ProviderStatus): AppError {
  const possible = transitions[from];
  return new AppError(
    'invalid_transition',
    possible.length === 0
      ? 'The provider is archived, and that is final. Register it anew, under another name.'
      : `A provider that is ${from} cannot become ${to}, only ${possible.join(' or ')}.`,
  );
}
