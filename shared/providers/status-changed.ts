import { ref } from '../store/collection.ts';
import type { DomainEvent } from '../store/decision.ts';
import { type Provider, providers } from './schema.ts';

/** `provider.status_changed`, with both spellings of the former status that consumers know. */
export const statusChanged = (before: Provider, after: Provider): DomainEvent => ({
  topic: 'aex-provider-events',
  type: 'provider.status_changed',
  subject: ref(providers, after.provider_id).path,
  version: after.version,
  fields: {
    provider_id: after.provider_id,
    old_status: before.status,
    previous_status: before.status,
    new_status: after.status,
    changed_at: after.updated_at,
  },
});
