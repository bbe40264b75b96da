import { RpcError } from '../kernel/grpc.ts';
import type { Write } from './writes.ts';

type Kind = 'insert' | 'update' | 'upsert' | 'delete';

interface Before {
  readonly kind: Kind;
  /** The update time that the document's first write asks for. */
  readonly version: number | undefined;
}

/**
 * Several writes of one commit to one document become one, before any precondition is looked at. Some
 * sequences cannot, and are refused whatever is stored: a document that exists by then is not created,
 * a deleted one is not updated, and only the first write says which version it is about.
 *
 * @returns the writes, without the preconditions that an earlier one makes superfluous
 */
export function withoutRepetition(writes: readonly Write[]): Write[] {
  const before = new Map<string, Before>();
  return writes.map((write) => {
    const { name, change, precondition } = write;
    if (change.kind === 'verify') return write;
    const kind = kindOf(write);
    const { updateTime: version } = precondition;
    const last = before.get(name);
    if (!last) {
      before.set(name, { kind, version });
      return write;
    }
    checkSequence(last, write, kind);
    before.set(name, { kind, version: last.version });
    return version === undefined
      ? write
      : { ...write, precondition: { ...precondition, updateTime: undefined } };
  });
}

function kindOf({ change, precondition: { exists, updateTime } }: Write): Kind {
  if (change.kind === 'delete') return 'delete';
  if (exists === false) return 'insert';
  return exists || updateTime !== undefined ? 'update' : 'upsert';
}

function checkSequence(last: Before, { precondition }: Write, kind: Kind): void {
  const isDeleted = last.kind === 'delete';
  const needsDocument = kind === 'update' || (kind === 'delete' && precondition.exists === true);
  if (isDeleted ? needsDocument : kind === 'insert') {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot ${last.kind} then ${kind} an entity in the same request.`,
    );
  }
  const { updateTime } = precondition;
  if (updateTime !== undefined && updateTime !== last.version) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      'Cannot collapse mutations with different version preconditions.',
    );
  }
}
