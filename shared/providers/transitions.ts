import type { ProviderStatus } from './schema.ts';

/**
 * Where a status may lead. To be verified is left once, and returned to only out of a suspension; nothing
 * leads out of INACTIVE.
 */
export const transitions: Readonly<Record<ProviderStatus, readonly ProviderStatus[]>> = {
  PENDING_VERIFICATION: ['ACTIVE', 'SUSPENDED', 'INACTIVE'],
  ACTIVE: ['SUSPENDED', 'INACTIVE'],
  SUSPENDED: ['PENDING_VERIFICATION', 'ACTIVE', 'INACTIVE'],
  INACTIVE: [],
};
