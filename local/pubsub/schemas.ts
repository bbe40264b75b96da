import { randomBytes } from 'node:crypto';

import { RpcError } from '../kernel/grpc.ts';
import { pageOf } from '../kernel/page.ts';
import { checkName } from './names.ts';
import { checkDefinition, schemaToWire } from './schema.ts';
import type { PubsubState } from './state.ts';
import type {
  CreateSchemaRequest,
  GetSchemaRequest,
  ListSchemasRequest,
  ValidateSchemaRequest,
} from './wire.ts';

const PAGE_SIZE_MAX = 1000;

export const createSchema = (state: PubsubState) => (request: CreateSchemaRequest) => {
  const name = checkName('schemas', `${request.parent ?? ''}/schemas/${request.schemaId ?? ''}`);
  if (state.schemas.has(name))
    throw new RpcError(
      'ALREADY_EXISTS',
      `Resource already exists in the project (resource=${name}).`,
    );
  const schema = {
    name,
    definition: checkDefinition(request.schema),
    revisionId: randomBytes(4).toString('hex'),
    createMs: state.clock.nowMs(),
  };
  state.keepSchema(schema);
  return schemaToWire(schema, true);
};

/** Without a view, the whole schema. */
export const getSchema = (state: PubsubState) => (request: GetSchemaRequest) =>
  schemaToWire(state.schema(request.name), request.view !== 'BASIC');

export const listSchemas = (state: PubsubState) => (request: ListSchemasRequest) => {
  const inProject = [...state.schemas.values()].filter(({ name }) =>
    name.startsWith(`${request.parent ?? ''}/schemas/`),
  );
  const { items, nextPageToken } = pageOf(inProject, request, PAGE_SIZE_MAX);
  const isFull = request.view === 'FULL';
  return { schemas: items.map((schema) => schemaToWire(schema, isFull)), nextPageToken };
};

export const deleteSchema =
  (state: PubsubState) => (request: { readonly name?: string | null }) => {
    state.deleteSchema(state.schema(request.name));
    return {};
  };

export const validateSchema = (_: PubsubState) => (request: ValidateSchemaRequest) => {
  checkDefinition(request.schema);
  return {};
};
