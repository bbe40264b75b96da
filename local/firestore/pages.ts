const PAGE_SIZE_MAX = 300;

/** The names of one page and the token of the next, which is the last name given. */
export function pageOf(
  names: Iterable<string>,
  pageSize: number | undefined,
): { names: string[]; nextPageToken: string } {
  const size = Math.min(pageSize || PAGE_SIZE_MAX, PAGE_SIZE_MAX);
  const page: string[] = [];
  for (const name of names) {
    if (page.length === size) {
      return { names: page, nextPageToken: Buffer.from(page.at(-1) ?? '').toString('base64url') };
    }
    page.push(name);
  }
  return { names: page, nextPageToken: '' };
}

export const nameOfToken = (token = ''): string => Buffer.from(token, 'base64url').toString();
