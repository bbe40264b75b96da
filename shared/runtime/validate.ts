import type { z } from 'zod';

import { AppError, type FieldIssue } from '../errors.ts';

/** @throws {AppError} `invalid_request` naming every wrong field and its reason */
export function validated<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: 'path' | 'query' | 'body',
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) => issuesOf(issue, where));
  throw invalid(issues);
}

export function invalid(issues: readonly FieldIssue[]): AppError {
  const first = issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more, see details)` : '';
  return new AppError('invalid_request', `${first?.field}: ${first?.reason}${more}`, {
    details: issues,
  });
}

function issuesOf(issue: z.core.$ZodIssue, where: string): FieldIssue[] {
  const path = [where, ...issue.path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ field: `${path}.${key}`, reason: 'is not a known field' }));
  return [{ field: path, reason: issue.message }];
}

/** A field of the body or query that names another resource than the path does is an error. */
export function agreesWithPath(
  params: Readonly<Record<string, string>>,
  given: unknown,
  where: 'query' | 'body',
): void {
  if (given === null || typeof given !== 'object') return;
  for (const [name, value] of Object.entries(params)) {
    const other = Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined;
    if (other !== undefined && other !== value)
      throw invalid([
        {
          field: `${where}.${name}`,
          reason: 'disagrees with the path; leave it out or make them equal',
        },
      ]);
  }
}
