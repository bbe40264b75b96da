/**
 * The messages of google.firestore.v1 as the gRPC host decodes them: 64-bit integers and enums are
 * strings, what is absent is undefined, and a oneof's chosen member is named beside it.
 */
import type { WireTimestamp } from './timestamps.ts';

export interface WireValue {
  readonly valueType?: string;
  readonly booleanValue?: boolean;
  readonly integerValue?: string;
  readonly doubleValue?: number;
  readonly timestampValue?: Partial<WireTimestamp>;
  readonly stringValue?: string;
  readonly bytesValue?: Uint8Array;
  readonly referenceValue?: string;
  readonly geoPointValue?: { readonly latitude?: number; readonly longitude?: number };
  readonly arrayValue?: WireArray;
  readonly mapValue?: { readonly fields?: Readonly<Record<string, WireValue>> };
}

export interface WireArray {
  readonly values?: readonly WireValue[];
}

export interface WireMask {
  readonly fieldPaths?: readonly string[];
}

export interface WireDocument {
  readonly name?: string;
  readonly fields?: Readonly<Record<string, WireValue>>;
}

export interface WireTransform {
  readonly fieldPath?: string;
  readonly transformType?: string;
  readonly setToServerValue?: string;
  readonly increment?: WireValue;
  readonly maximum?: WireValue;
  readonly minimum?: WireValue;
  readonly appendMissingElements?: WireArray;
  readonly removeAllFromArray?: WireArray;
}

export interface WirePrecondition {
  readonly exists?: boolean;
  readonly updateTime?: Partial<WireTimestamp>;
}

export interface WireWrite {
  readonly operation?: string;
  readonly update?: WireDocument;
  readonly delete?: string;
  readonly verify?: string;
  readonly transform?: {
    readonly document?: string;
    readonly fieldTransforms?: readonly WireTransform[];
  };
  readonly updateMask?: WireMask;
  readonly updateTransforms?: readonly WireTransform[];
  readonly currentDocument?: WirePrecondition;
}

export interface WireField {
  readonly fieldPath?: string;
}

export interface WireFilter {
  readonly compositeFilter?: { readonly op?: string; readonly filters?: readonly WireFilter[] };
  readonly fieldFilter?: {
    readonly field?: WireField;
    readonly op?: string;
    readonly value?: WireValue;
  };
  readonly unaryFilter?: { readonly field?: WireField; readonly op?: string };
}

export interface WireCursor {
  readonly values?: readonly WireValue[];
  readonly before?: boolean;
}

export interface WireQuery {
  readonly select?: { readonly fields?: readonly WireField[] };
  readonly from?: readonly { readonly collectionId?: string; readonly allDescendants?: boolean }[];
  readonly where?: WireFilter;
  readonly orderBy?: readonly { readonly field?: WireField; readonly direction?: string }[];
  readonly startAt?: WireCursor;
  readonly endAt?: WireCursor;
  readonly offset?: number;
  readonly limit?: { readonly value?: number };
  readonly findNearest?: WireNearest;
}

export interface WireNearest {
  readonly vectorField?: WireField;
  readonly queryVector?: WireValue;
  readonly distanceMeasure?: string;
  readonly limit?: { readonly value?: number };
  readonly distanceResultField?: string;
  readonly distanceThreshold?: { readonly value?: number };
}

export interface WireTransactionOptions {
  readonly readOnly?: { readonly readTime?: Partial<WireTimestamp> };
  readonly readWrite?: { readonly retryTransaction?: Uint8Array };
}

/** How a read chooses the state it sees; none of the three means the newest. */
export interface ConsistencySelector {
  readonly transaction?: Uint8Array;
  readonly newTransaction?: WireTransactionOptions;
  readonly readTime?: Partial<WireTimestamp>;
}

export interface WireTarget {
  readonly query?: { readonly parent?: string; readonly structuredQuery?: WireQuery };
  readonly documents?: { readonly documents?: readonly string[] };
  readonly resumeToken?: Uint8Array;
  readonly readTime?: Partial<WireTimestamp>;
  readonly targetId?: number;
  readonly once?: boolean;
}
