import { RpcError } from '../kernel/grpc.ts';

const ID = /^(?!goog)[a-zA-Z][a-zA-Z0-9._~%+-]{2,254}$/;

export type Kind = 'topics' | 'subscriptions' | 'snapshots' | 'schemas';

/** Checks `projects/<project>/topics/<id>` or the same of another kind. */
export function checkName(kind: Kind, name: string | null | undefined): string {
  const [projects, project, actualKind, id, ...more] = (name ?? '').split('/');
  if (name && projects === 'projects' && project && actualKind === kind && more.length === 0)
    if (ID.test(id ?? '')) return name;
  throw new RpcError('INVALID_ARGUMENT', `Invalid [${kind}] name: (name=${name ?? ''})`);
}

export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
export const projectOf = (name: string): string => name.split('/')[1] ?? '';
