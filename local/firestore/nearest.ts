import { RpcError } from '../kernel/grpc.ts';
import { documentValue, type StoredDocument } from './document.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';
import { fromWire, isNumber, toNumber, type Value, vectorOf } from './values.ts';
import type { WireNearest } from './wire.ts';

const RESULTS_MAX = 1000;
const DIMENSIONS_MAX = 2048;

type Measure = (a: readonly number[], b: readonly number[]) => number;

const dot: Measure = (a, b) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

const MEASURES: Record<string, { readonly of: Measure; readonly isSimilarity: boolean }> = {
  EUCLIDEAN: {
    of: (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0)),
    isSimilarity: false,
  },
  COSINE: {
    of: (a, b) => 1 - dot(a, b) / (Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b))),
    isSimilarity: false,
  },
  DOT_PRODUCT: { of: dot, isSimilarity: true },
};

/** A search for the documents whose vectors are nearest to a given one. */
export interface Nearest {
  readonly path: FieldPath;
  readonly vector: readonly number[];
  readonly limit: number;
  /** Undefined: results do not tell their distance. */
  readonly resultPath: FieldPath | undefined;
  readonly distanceOf: (vector: readonly number[]) => number;
  /** Negative when the first of two distances is the nearer one. */
  readonly compare: (a: number, b: number) => number;
  readonly threshold: number | undefined;
}

export interface Neighbour {
  readonly document: StoredDocument;
  readonly distance: number;
}

const badRequest = (message: string): RpcError => new RpcError('INVALID_ARGUMENT', message);

export function parseNearest(wire: WireNearest): Nearest {
  const vector = numbersOf(fromWire(wire.queryVector ?? {}));
  if (!vector || vector.length === 0 || vector.length > DIMENSIONS_MAX) {
    throw badRequest(`The query vector must have 1 to ${DIMENSIONS_MAX} dimensions.`);
  }
  const limit = wire.limit?.value ?? 0;
  if (limit <= 0 || limit > RESULTS_MAX) {
    throw badRequest(`FindNearest.limit must be a positive integer of at most ${RESULTS_MAX}.`);
  }
  const measure = MEASURES[wire.distanceMeasure ?? ''];
  if (!measure) throw badRequest('FindNearest.distance_measure must be set.');
  const { isSimilarity } = measure;
  return {
    path: parseFieldPath(wire.vectorField?.fieldPath),
    vector,
    limit,
    resultPath: wire.distanceResultField ? parseFieldPath(wire.distanceResultField) : undefined,
    distanceOf: (other) => measure.of(vector, other),
    compare: (a, b) => (isSimilarity ? b - a : a - b),
    threshold: wire.distanceThreshold ? (wire.distanceThreshold.value ?? 0) : undefined,
  };
}

/** The nearest first. Documents without a vector of the same length, or without a distance, take no part. */
export function nearestOf(nearest: Nearest, documents: Iterable<StoredDocument>): Neighbour[] {
  const { threshold } = nearest;
  const neighbours: Neighbour[] = [];
  for (const document of documents) {
    const vector = numbersOf(documentValue(document, nearest.path));
    if (vector?.length !== nearest.vector.length) continue;
    const distance = nearest.distanceOf(vector);
    if (Number.isNaN(distance)) continue;
    if (threshold !== undefined && nearest.compare(distance, threshold) > 0) continue;
    neighbours.push({ document, distance });
  }
  return neighbours.sort((a, b) => nearest.compare(a.distance, b.distance)).slice(0, nearest.limit);
}

const numbersOf = (value: Value | undefined): number[] | undefined =>
  vectorOf(value)?.map((component) => (isNumber(component) ? toNumber(component) : Number.NaN));
