import type { Ref } from './collection.ts';

/** The request as the rules see it: a rerun of the same command decides the same. */
export interface Command {
  /** Identity for exactly-once: two commands with one id are one. */
  readonly id: string;
  /** The reading of the clock all of the command's effects carry. */
  readonly at: Date;
}

/** `create` fails the command when the document exists; `set` replaces it whole. */
export type Write =
  | { readonly kind: 'create'; readonly ref: Ref<unknown>; readonly doc: unknown }
  | { readonly kind: 'set'; readonly ref: Ref<unknown>; readonly doc: unknown }
  | { readonly kind: 'remove'; readonly ref: Ref<unknown> };

/**
 * A fact to publish. `subject` and `version` name the document state it follows from; consumers drop
 * a version older than one they have seen.
 */
export interface DomainEvent {
  readonly topic:
    | 'aex-provider-events'
    | 'aex-contract-events'
    | 'aex-bid-events'
    | 'purvey-deadletter';
  readonly type: string;
  readonly subject: string;
  readonly version: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A call of a task function, made durable with the commit. */
export interface TaskRequest {
  /** The function to call, by its name in the manifest; its queue is named there. */
  readonly function: string;
  /** Tasks of one name run once; hashed before use. */
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Not before this time; at once when absent. */
  readonly at?: Date;
}

/** All that follows from a command. The store commits it in one transaction, or not at all. */
export interface Decision<Reply> {
  readonly writes: readonly Write[];
  readonly events?: readonly DomainEvent[];
  readonly tasks?: readonly TaskRequest[];
  /** Kept with the command for 24 hours and returned to a rerun: never put a secret here. */
  readonly reply: Reply;
}

export const create = <Doc>(ref: Ref<Doc>, doc: Doc): Write => ({ kind: 'create', ref, doc });
export const set = <Doc>(ref: Ref<Doc>, doc: Doc): Write => ({ kind: 'set', ref, doc });
export const remove = <Doc>(ref: Ref<Doc>): Write => ({ kind: 'remove', ref });

/** The documents that `refs` names, null where absent. */
export type Docs<Refs extends Record<string, Ref<unknown>>> = {
  readonly [Name in keyof Refs]: Refs[Name] extends Ref<infer Doc> ? Doc | null : never;
};

/** A rule: plain values in, a decision out. It may run more than once. */
export type Rule<
  Refs extends Record<string, Ref<unknown>>,
  Reply,
  Given extends Command = Command,
> = (docs: Docs<Refs>, command: Given) => Decision<Reply>;
