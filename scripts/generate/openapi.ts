import { z } from 'zod';

import { type ErrorCode, statusOf } from '../../shared/errors.ts';
import type { HttpFunction, Manifest } from '../../shared/runtime/manifest.ts';
import { loadEndpoints } from './load-functions.ts';

type Json = Record<string, unknown>;

/** Errors that follow from what a route is, beside those that it declares itself. */
function errorsOf(
  entry: HttpFunction,
  declared: readonly ErrorCode[],
  hasInput: boolean,
): ErrorCode[] {
  const open = entry.callers.includes('public');
  const post = entry.method === 'POST';
  return [
    ...new Set<ErrorCode>([
      ...(hasInput ? (['invalid_request'] as const) : []),
      ...(['POST', 'PUT', 'PATCH'].includes(entry.method)
        ? (['invalid_json', 'payload_too_large', 'unsupported_media_type'] as const)
        : []),
      ...(open ? [] : (['unauthenticated', 'invalid_api_key', 'forbidden'] as const)),
      ...(entry.path.includes('{') ? (['not_found'] as const) : []),
      ...(post ? (['request_in_progress', 'idempotency_mismatch'] as const) : []),
      ...(entry.limit ? (['rate_limited'] as const) : []),
      ...declared,
      'internal_error',
      'unavailable',
    ]),
  ];
}

const securityOf = (callers: readonly string[]): Json[] => [
  ...(callers.includes('public') ? [{}] : []),
  ...(callers.includes('provider') ? [{ provider: [] }] : []),
  ...callers.flatMap((caller) =>
    caller.startsWith('org:') ? [{ organisation: [caller.slice(4)] }] : [],
  ),
  ...(callers.includes('service') ? [{ service: [] }] : []),
  { operator: [] },
];

const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    reused: 'inline',
  });
  return json;
};

const parameter = (
  place: 'path' | 'query' | 'header',
  name: string,
  required: boolean,
  schema: unknown,
) => ({
  name,
  in: place,
  required,
  schema,
});

/** The OpenAPI 3.1 document of everything in the manifest, from what the endpoints declare. */
export async function openApi(manifest: Manifest): Promise<Json> {
  const paths: Record<string, Json> = {};
  for (const { entry, endpoint } of await loadEndpoints(manifest)) {
    const { spec, name } = endpoint;
    const query = spec.query && schemaOf(spec.query, 'input');
    const required = (query?.['required'] ?? []) as string[];
    const parameters = [
      ...[...entry.path.matchAll(/\{(\w+)\}/g)].map(([, id = '']) =>
        parameter('path', id, true, { type: 'string' }),
      ),
      ...Object.entries((query?.['properties'] ?? {}) as Json).map(([field, schema]) =>
        parameter('query', field, required.includes(field), schema),
      ),
      ...(entry.method === 'POST'
        ? [parameter('header', 'Idempotency-Key', false, { type: 'string', maxLength: 255 })]
        : []),
    ];
    const codes = errorsOf(entry, spec.errors ?? [], Boolean(spec.query ?? spec.body));
    const byStatus = Map.groupBy(codes, (code) => String(statusOf[code]));
    paths[entry.path] = {
      ...paths[entry.path],
      [entry.method.toLowerCase()]: {
        operationId: name,
        summary: spec.summary,
        ...(spec.description !== undefined && { description: spec.description }),
        tags: [entry.source.split('/', 1)[0]],
        security: securityOf(entry.callers),
        ...(parameters.length > 0 && { parameters }),
        ...(spec.body && {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(spec.body, 'input') } },
          },
        }),
        responses: {
          [String(spec.status ?? 200)]: {
            description: 'Success',
            headers: { 'x-request-id': { schema: { type: 'string' } } },
            content: { 'application/json': { schema: schemaOf(spec.reply, 'output') } },
          },
          ...Object.fromEntries(
            [...byStatus].map(([status, ofStatus]) => [
              status,
              {
                description: ofStatus.join(', '),
                content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
              },
            ]),
          ),
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Purvey',
      version: '0.1.0',
      description:
        'Marketplace providers, eligibility, RFQs and organisations. Lists take `limit` (at most 100) and `cursor`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8080', description: 'npm start' }],
    paths,
    components: {
      securitySchemes: {
        provider: { type: 'http', scheme: 'bearer', description: 'aex_pk_live_…' },
        organisation: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'pv_org_…' },
        operator: { type: 'apiKey', in: 'header', name: 'X-Operator-Key' },
        service: { type: 'http', scheme: 'bearer', bearerFormat: 'Google OIDC identity token' },
      },
      schemas: {
        Error: {
          type: 'object',
          required: ['error'],
          properties: {
            error: {
              type: 'object',
              required: ['code', 'message', 'request_id'],
              properties: {
                code: { type: 'string', enum: Object.keys(statusOf) },
                message: { type: 'string' },
                request_id: { type: 'string' },
                details: {},
              },
            },
          },
        },
      },
    },
  };
}
