/** Who makes a request, as far as it was proved. */
export type Caller =
  | { readonly kind: 'public'; readonly address: string }
  | { readonly kind: 'provider'; readonly providerId: string; readonly keyId: string }
  | {
      readonly kind: 'org';
      readonly orgSlug: string;
      readonly keyId: string;
      readonly scopes: readonly string[];
    }
  | { readonly kind: 'operator' }
  | { readonly kind: 'service'; readonly email: string };

/** A stable name for logs and for scoping idempotency records. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case 'public':
      return 'public';
    case 'provider':
      return caller.providerId;
    case 'org':
      return `org:${caller.orgSlug}`;
    case 'operator':
      return 'operator';
    case 'service':
      return caller.email;
  }
}
