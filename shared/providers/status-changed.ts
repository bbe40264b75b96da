import { ref } from '../store/collection.ts';
import type { DomainEvent } from '../store/decision.ts';
import { type Provider, providers } from './schema.ts';

/**
 * `provider.status_changed`, with both spellings of the former status that consumers know; `reason` is an
 * operator's, where one was given.
 */
export const statusChanged = (before: Provider, after: Provider, reason?: string): DomainEvent => ({
  topic: 'aex-provider-events',
  type: 'provider.status_changed',
  subject: ref(providers, after.provider_id).path,
  version: after.version,
  fields: {
    provider_id: after.provider_id,
    old_status: before.status,
    previous_status: before.status,
    new_status: after.status,
    ...(reason !== undefined && { reason }),
    changed_at: after.updated_at,
  },
});
