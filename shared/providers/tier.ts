import { z } from 'zod';

/** How far a provider is trusted, lowest first. Changed by trust events only. */
const tiers = ['UNVERIFIED', 'VERIFIED', 'TRUSTED', 'PREFERRED'] as const;

export const TrustTier = z.enum(tiers);
export type TrustTier = z.infer<typeof TrustTier>;

export const isTierBelow = (tier: TrustTier, minimum: TrustTier): boolean =>
  tiers.indexOf(tier) < tiers.indexOf(minimum);

export const higherTier = (a: TrustTier, b: TrustTier): TrustTier => (isTierBelow(a, b) ? b : a);
