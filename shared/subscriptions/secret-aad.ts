/** What a subscription's sealed webhook secret is bound to: moved to another, it does not open. */
export const secretAad = (subscriptionId: string): string => `webhook-secret|${subscriptionId}`;
