/** The content of `firestore.indexes.json`. */
export interface IndexDefinitions {
  readonly indexes: readonly CompositeIndex[];
  readonly fieldOverrides?: readonly FieldOverride[];
}

export interface CompositeIndex {
  readonly collectionGroup: string;
  /** COLLECTION (the default) or COLLECTION_GROUP. */
  readonly queryScope?: string;
  readonly fields: readonly IndexedField[];
}

export interface IndexedField {
  readonly fieldPath: string;
  /** ASCENDING or DESCENDING; absent on an array. */
  readonly order?: string;
  /** CONTAINS on an array. */
  readonly arrayConfig?: string;
  /** On a vector, which comes last. */
  readonly vectorConfig?: { readonly dimension: number; readonly flat?: object };
}

/** Replaces a field's automatic indexes: with an empty list the field is exempt from indexing. */
interface FieldOverride {
  readonly collectionGroup: string;
  /** `*` for all fields of the collection group. */
  readonly fieldPath: string;
  /** Documents go some time after the timestamp in this field. */
  readonly ttl?: boolean;
  readonly indexes?: readonly {
    readonly queryScope?: string;
    readonly order?: string;
    readonly arrayConfig?: string;
  }[];
}
