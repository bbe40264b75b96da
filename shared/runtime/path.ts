/** What an id in a path may look like; anything else names nothing, and never reaches the store. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

/**
 * Reads the parameters of `pattern` (`/v1/rfqs/{rfq_id}`) out of a request's path; null when the path
 * is another one or a parameter is no id.
 */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (const [i, segment] of want.entries()) {
    const value = have[i] ?? '';
    if (segment.startsWith('{')) {
      if (!ID.test(value)) return null;
      params[segment.slice(1, -1)] = value;
    } else if (segment !== value) return null;
  }
  return params;
}
