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
  return [{ field: path, reason: reasonOf(issue) }];
}

/** zod's own words where they help the caller, ours where they would name a type of JavaScript's. */
function reasonOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? 'is required'
        : `must be ${a(issue.expected)}`;
    case 'too_small':
      return issue.origin === 'string' && issue.minimum === 1
        ? 'must not be empty'
        : sized(issue, 'least', issue.minimum);
    case 'too_big':
      return sized(issue, 'most', issue.maximum);
    case 'invalid_value':
      return `must be ${issue.values
        .map(String)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}`;
    default:
      return issue.message;
  }
}

const a = (type: string): string => {
  if (type === 'int') return 'a whole number';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
};

function sized(
  issue: { readonly origin: string; readonly message: string },
  most: 'least' | 'most',
  bound: number | bigint,
): string {
  // A message of the schema's own says it better.
  if (!/^Too (small|big)/.test(issue.message)) return issue.message;
  const unit = { string: ' characters long', array: ' items long' }[issue.origin] ?? '';
  return `must be at ${most} ${bound}${unit}`;
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
