import { AppError } from '../errors.ts';

/** gRPC's DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE: they pass by themselves. */
const PASSING = new Set([4, 8, 10, 14]);

/** Whether `error` is a status of a Google service, and of the given code if there is one. */
export const isGrpc = (error: unknown, code?: number): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'number' &&
  (code === undefined || error.code === code);

/** A passing outage in the caller's words; any other failure is ours to mend and stays as it is. */
export const asOutage = (error: unknown): unknown =>
  error instanceof Error && 'code' in error && PASSING.has(error.code as number)
    ? new AppError('unavailable', 'The store could not be reached; try again shortly.', {
        cause: error,
        retryAfterS: 2,
      })
    : error;

/** @throws {AppError} `unavailable` instead of a passing outage */
export async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asOutage(error);
  }
}
