import { derivedId } from '../ids.ts';

/** What quota, breaker and health are kept for. */
export interface ExecutionKey {
  /** The organisation behind the call; `platform` for our own probes; `*` for all tenants together. */
  readonly tenantId: string;
  /** A catalogue name or a `prov_` id. */
  readonly providerName: string;
  readonly capability: string;
}

/** The tenant under which an outage that every tenant sees is learned once. */
export const EVERY_TENANT = '*';

/** A hash, so that no tenant's name can spell another's key. The id of the key's documents. */
export const keyId = ({ tenantId, providerName, capability }: ExecutionKey): string =>
  derivedId('exk', JSON.stringify([tenantId, providerName, capability]));
