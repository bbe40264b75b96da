import { AppError } from '../errors.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, create } from '../store/decision.ts';
import { type CreateOrg, type Org, orgs } from './schema.ts';
import { type OrgView, orgView } from './view.ts';

export interface CreateOrgCommand extends Command {
  readonly request: CreateOrg;
}

export const createOrgRefs = ({ request }: Pick<CreateOrgCommand, 'request'>) => ({
  org: ref(orgs, request.org_slug),
});

/** @throws {AppError} `name_taken` when the slug is in use */
export function createOrg(
  { org }: Docs<ReturnType<typeof createOrgRefs>>,
  { request, at }: CreateOrgCommand,
): Decision<OrgView> {
  if (org)
    throw new AppError('name_taken', `The org_slug ${request.org_slug} is in use; choose another.`);
  const next: Org = {
    ...request,
    status: 'ACTIVE',
    created_at: at.toISOString(),
    updated_at: at.toISOString(),
    version: 1,
  };
  return { writes: [create(ref(orgs, next.org_slug), next)], reply: orgView(next) };
}
