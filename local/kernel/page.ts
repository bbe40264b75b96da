import { RpcError } from './grpc.ts';

interface PageRequest {
  readonly pageSize?: number | null;
  readonly pageToken?: string | null;
}

/** One page of the items, in the order of their names. The token is the last name of the page before. */
export function pageOf<Item extends { readonly name: string }>(
  items: Iterable<Item>,
  request: PageRequest,
  sizeMax: number,
): { items: Item[]; nextPageToken: string } {
  const size = request.pageSize ?? 0;
  if (size < 0) throw new RpcError('INVALID_ARGUMENT', 'page_size must not be negative.');
  const after = Buffer.from(request.pageToken ?? '', 'base64url').toString();
  const rest = [...items]
    .filter((item) => item.name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = rest.slice(0, Math.min(size || sizeMax, sizeMax));
  const last = page.at(-1);
  const isLastPage = page.length === rest.length || !last;
  return {
    items: page,
    nextPageToken: isLastPage ? '' : Buffer.from(last.name).toString('base64url'),
  };
}
