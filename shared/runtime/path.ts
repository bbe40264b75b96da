/**
 * Reads the parameters of `pattern` (`/v1/rfqs/{rfq_id}`) out of a request's path; null when the path
 * is another one. Values are percent-decoded; one that cannot be is no match.
 */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (const [i, segment] of want.entries()) {
    const value = have[i] ?? '';
    if (segment.startsWith('{')) {
      const decoded = percentDecoded(value);
      if (!decoded) return null;
      params[segment.slice(1, -1)] = decoded;
    } else if (segment !== value) return null;
  }
  return params;
}

function percentDecoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
