import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import {
  ErrorRule,
  ErrorRules,
  type ProviderAnswer,
  classify,
  errorOf,
} from '../../../shared/execution/classify.ts';
import { ProviderAuthError, ProviderError } from '../../../shared/execution/errors.ts';
import { REASON_CODES, type ReasonCode } from '../../../shared/execution/reasons.ts';

const at = new Date('2026-03-01T12:00:00.000Z');

const response = (
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
): ProviderAnswer => ({
  kind: 'response',
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const reasonBy = (rules: readonly ErrorRule[], status: number, body: unknown = '') =>
  classify(response(status, body), at, rules)?.reasonCode ?? null;

const rule = (given: z.input<typeof ErrorRule>): ErrorRule => ErrorRule.parse(given);

describe('without rules', () => {
  it.each<[ReasonCode | null, number[]]>([
    [null, [200, 201, 202, 204, 206, 226, 299]],
    ['auth_failed', [401, 403]],
    ['quota_exhausted', [402]],
    ['timeout', [408, 504]],
    ['rate_limited', [429]],
    ['dependency_unavailable', [425, 500, 502, 503, 507, 511, 520, 521, 522, 524, 525, 529, 599]],
    ['bad_request', [300, 301, 302, 303, 304, 307, 308]],
    ['bad_request', [400, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 416, 418, 422, 451]],
    ['bad_request', [501, 505]],
    ['response_invalid', [0, 99, 100, 101, 103, 600, 999]],
  ])('%s is the meaning of %j', (reason, statuses) => {
    for (const status of statuses) {
      const error = classify(response(status), at);
      expect(error?.reasonCode ?? null, String(status)).toBe(reason);
      expect(error?.httpStatus ?? null).toBe(reason && status);
    }
  });

  it('a redirect says that it is not followed', () => {
    expect(classify(response(302), at)?.message).toBe(
      'the provider answered 302: redirects are not followed',
    );
    expect(classify(response(503), at)?.message).toBe('the provider answered 503');
  });

  it('a failed answer carries the wait it asks for, from headers or body; a success none', () => {
    expect(classify(response(503, '', { 'retry-after': '30' }), at)?.retryAfterMs).toBe(30_000);
    expect(classify(response(503), at)?.retryAfterMs).toBeNull();
    const body = { error: { details: [{ retryDelay: '13s' }] } };
    expect(classify(response(429, body), at)?.retryAfterMs).toBe(13_000);
    expect(classify(response(200, body, { 'retry-after': '30' }), at)).toBeNull();
  });

  it.each<[ProviderAnswer, ReasonCode, string]>([
    [{ kind: 'failed', reason: 'timeout' }, 'timeout', 'not answer in time'],
    [{ kind: 'failed', reason: 'connection_error' }, 'connection_error', 'no connection'],
    [{ kind: 'failed', reason: 'response_too_large' }, 'response_invalid', 'more than it may'],
    [{ kind: 'forbidden', reason: 'must use https' }, 'bad_request', 'address must use https'],
  ])('%j is %s', (answer, reason, message) => {
    const error = classify(answer, at);
    expect(error).toMatchObject({ reasonCode: reason, httpStatus: null, retryAfterMs: null });
    expect(error?.message).toContain(message);
  });

  it('a body is parsed only for a rule that needs it, and once', () => {
    const needing = rule({ when: [{ path: 'a', equals: 2 }], reason: 'bad_request' });
    const parseJson = vi.spyOn(JSON, 'parse');
    try {
      for (const status of [200, 400, 429, 503]) classify(response(status, { a: 1 }), at);
      classify(response(200, { a: 1 }), at, [needing, { ...needing, status: 429 }]);
      expect(parseJson).not.toHaveBeenCalled();
      classify(response(400, { a: 1 }), at, [needing, needing, needing]);
      expect(parseJson).toHaveBeenCalledTimes(1);
    } finally {
      parseJson.mockRestore();
    }
  });
});

describe('a rule', () => {
  it('is asked before the table, and the first that matches decides', () => {
    const rules = [
      rule({ status: 404, when: [{ path: 'code', equals: 'Hidden' }], reason: 'auth_failed' }),
      rule({ status: 404, reason: 'dependency_unavailable' }),
      rule({ status: 404, reason: 'internal_error' }),
    ];
    expect(reasonBy(rules, 404, { code: 'Hidden' })).toBe('auth_failed');
    expect(reasonBy(rules, 404, { code: 'Other' })).toBe('dependency_unavailable');
    expect(reasonBy(rules, 400, { code: 'Hidden' })).toBe('bad_request');
  });

  it('names one status, several, or a class of them', () => {
    const reasons = (status: z.input<typeof ErrorRule>['status']) =>
      [200, 204, 400, 401, 503].filter(
        (given) =>
          reasonBy([rule({ status, reason: 'internal_error' })], given) === 'internal_error',
      );
    expect(reasons(401)).toEqual([401]);
    expect(reasons([400, '5xx'])).toEqual([400, 503]);
    expect(reasons('2xx')).toEqual([200, 204]);
  });

  it('touches a success only when it names it', () => {
    const when = [{ path: 'ok', equals: false }];
    expect(reasonBy([rule({ when, reason: 'bad_request' })], 200, { ok: false })).toBeNull();
    expect(reasonBy([rule({ when, reason: 'rate_limited' })], 400, { ok: false })).toBe(
      'rate_limited',
    );
    expect(reasonBy([rule({ status: 200, when, reason: 'bad_request' })], 200, { ok: false })).toBe(
      'bad_request',
    );
    expect(
      reasonBy([rule({ status: 200, when, reason: 'bad_request' })], 200, { ok: true }),
    ).toBeNull();
  });

  it('holds only when all of its conditions do', () => {
    const rules = [
      rule({
        when: [
          { path: 'error', equals: 'invalid_grant' },
          { path: 'error_description', matches: 'Short-Lived' },
        ],
        reason: 'dependency_unavailable',
      }),
    ];
    const body = { error: 'invalid_grant', error_description: 'a short-lived token' };
    expect(reasonBy(rules, 400, body)).toBe('dependency_unavailable');
    expect(reasonBy(rules, 400, { ...body, error_description: '' })).toBe('bad_request');
    expect(reasonBy(rules, 400, { ...body, error: 'other' })).toBe('bad_request');
  });

  it.each<[string, unknown, boolean]>([
    ['equals', { path: 'n', equals: 5 }, true],
    ['equals', { path: 'n', equals: '5' }, false],
    ['equals', { path: 'none', equals: null }, true],
    ['equals', { path: 'absent', equals: null }, false],
    ['one_of', { path: 'n', one_of: [1, 5] }, true],
    ['one_of', { path: 'n', one_of: [1, 2] }, false],
    ['matches', { path: 'text', matches: 'is LOW' }, true],
    ['matches', { path: 'text', matches: ['high', 'low'] }, true],
    ['matches', { path: 'text', matches: ['high'] }, false],
    ['matches', { path: 'n', matches: '5' }, false],
    ['an index', { path: 'list.1.reason', equals: 'b' }, true],
    ['an index', { path: 'list.0.reason', equals: 'b' }, false],
    ['any element', { path: 'list.*.reason', equals: 'b' }, true],
    ['any element', { path: 'list.*.reason', equals: 'c' }, false],
    ['any of its paths', { path: ['absent', 'text'], matches: 'low' }, true],
    ['a path through a string', { path: 'text.length', equals: 17 }, false],
    ['an inherited member', { path: '__proto__.__proto__', equals: null }, false],
    ['an XML path', { path: '$xml.Code', equals: 'low' }, false],
  ])('compares by %s: %j is %s', (_, condition, expected) => {
    const rules = [ErrorRule.parse({ when: [condition], reason: 'rate_limited' })];
    const body = {
      n: 5,
      none: null,
      text: 'the balance is low',
      list: [{ reason: 'a' }, { reason: 'b' }, null],
    };
    expect(reasonBy(rules, 400, body) === 'rate_limited').toBe(expected);
  });

  it('reads the first element of an XML body', () => {
    const rules = [
      rule({ when: [{ path: '$xml.Code', equals: 'SlowDown' }], reason: 'rate_limited' }),
    ];
    expect(reasonBy(rules, 400, '<Error>\n<Code> SlowDown </Code></Error>')).toBe('rate_limited');
    expect(reasonBy(rules, 400, '<Error><Code>No</Code><Code>SlowDown</Code></Error>')).toBe(
      'bad_request',
    );
    // S3 repeats the name of the bucket.
    expect(reasonBy(rules, 400, '<Code>NoSuchKey</Code><Key>SlowDown</Key>')).toBe('bad_request');
    for (const broken of ['<Code>SlowDown', '</Code>SlowDown<Code>', '<Code/>', '<Codes>SlowDown'])
      expect(reasonBy(rules, 400, broken)).toBe('bad_request');
  });

  it('does not match a body that is not what it expects, and never throws', () => {
    const rules = [
      rule({ when: [{ path: 'error.details.*.reason', equals: 'X' }], reason: 'rate_limited' }),
    ];
    for (const body of [
      '',
      '<html>502</html>',
      '{"error":',
      'null',
      '[]',
      '"X"',
      '5',
      '{"error":null}',
      '{"error":{"details":"X"}}',
      '{"error":{"details":[null,[],"X",5]}}',
      '['.repeat(50_000),
    ])
      expect(reasonBy(rules, 400, body)).toBe('bad_request');
  });

  it.each<[string, unknown]>([
    ['nothing that it matches', { reason: 'bad_request' }],
    ['an unknown reason', { status: 400, reason: 'teapot' }],
    ['circuit_open, which no provider answers', { status: 400, reason: 'circuit_open' }],
    ['no reason', { status: 400 }],
    ['an unknown key', { status: 400, reason: 'bad_request', retry: true }],
    ['an impossible status', { status: 600, reason: 'bad_request' }],
    ['an unknown class of status', { status: '6xx', reason: 'bad_request' }],
    ['an empty list of statuses', { status: [], reason: 'bad_request' }],
    ['a condition without a comparison', { when: [{ path: 'a' }], reason: 'bad_request' }],
    [
      'a condition with two comparisons',
      { when: [{ path: 'a', equals: 1, matches: 'b' }], reason: 'bad_request' },
    ],
    ['an empty path', { when: [{ path: '', equals: 1 }], reason: 'bad_request' }],
    ['a path with an empty step', { when: [{ path: 'a..b', equals: 1 }], reason: 'bad_request' }],
    [
      'a nested XML path',
      { when: [{ path: '$xml.Error.Code', equals: 'x' }], reason: 'bad_request' },
    ],
    ['no comparison text', { when: [{ path: 'a', matches: '' }], reason: 'bad_request' }],
  ])('is refused with %s', (_, given) => {
    expect(ErrorRule.safeParse(given).success).toBe(false);
  });
});

const rules = ErrorRules.parse(
  parse(readFileSync(new URL('../../../configs/error-rules.yaml', import.meta.url), 'utf8')),
);

type Example = readonly [
  what: string,
  status: number,
  body: unknown,
  reason: ReasonCode | null,
  message?: string,
];

const slackError = (error: string) => ({ ok: false, error });
const bigQueryError = (code: number, reason: string) => ({
  error: {
    code,
    message: `Failed: ${reason}`,
    errors: [{ message: `Failed: ${reason}`, domain: 'global', reason }],
    status: code === 403 ? 'PERMISSION_DENIED' : 'INVALID_ARGUMENT',
  },
});
const geminiError = (code: number, status: string, message: string, details: unknown[] = []) => ({
  error: { code, message, status, details },
});
const errorInfo = (reason: string, metadata: Record<string, string> = {}) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain: 'googleapis.com',
  metadata,
});
const anthropicError = (type: string, message: string) => ({
  type: 'error',
  error: { type, message },
  request_id: 'req_018EeWyXxfu5pfWkrYcMdjWG',
});
const openAiError = (code: string, message: string, type = 'invalid_request_error') => ({
  error: { message, type, param: null, code },
});
const awsXml = (code: string) =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>No.</Message></Error><RequestId>4f8fb26e</RequestId></ErrorResponse>`;
const s3Xml = (code: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>No.</Message><BucketName>slowdown-throttling</BucketName><RequestId>E4CA6F6767D6685C</RequestId></Error>`;
const awsJson = (type: string) => ({ __type: type, Message: 'No.' });

const quotaExceeded = { '@type': 'type.googleapis.com/google.rpc.QuotaFailure' };
const perMinute = 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier';
const perDay = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier';
const rightsMessage =
  'You have insufficient permissions for this operation. Missing scopes: api.usage.read.';

/** Bodies as the providers send them; the statuses are theirs too, surprising as some are. */
const examples: Readonly<Record<string, readonly Example[]>> = {
  openai: [
    ['a list of models', 200, { object: 'list', data: [] }, null],
    [
      'a wrong key',
      401,
      openAiError('invalid_api_key', 'Incorrect API key provided: sk-proj-****abcd.'),
      'auth_failed',
    ],
    ['a missing right', 403, openAiError('missing_scope', rightsMessage), 'auth_failed', 'a right'],
    ['the same as 401', 401, openAiError('', rightsMessage), 'auth_failed', 'a right'],
    [
      'too many requests',
      429,
      openAiError('rate_limit_exceeded', 'Rate limit reached', 'requests'),
      'rate_limited',
    ],
    [
      'no credit',
      429,
      openAiError('insufficient_quota', 'You exceeded your current quota', 'insufficient_quota'),
      'quota_exhausted',
      'no credit',
    ],
    [
      'a spending limit',
      400,
      openAiError('billing_hard_limit_reached', 'Billing hard limit has been reached'),
      'quota_exhausted',
    ],
    [
      'a fault of theirs',
      500,
      openAiError('', 'The server had an error'),
      'dependency_unavailable',
    ],
  ],
  anthropic: [
    [
      'a wrong key',
      401,
      anthropicError('authentication_error', 'invalid x-api-key'),
      'auth_failed',
    ],
    [
      'a missing right',
      403,
      anthropicError('permission_error', 'Your API key does not have permission.'),
      'auth_failed',
      'a right',
    ],
    [
      'too many requests',
      429,
      anthropicError('rate_limit_error', "This would exceed your organization's rate limit."),
      'rate_limited',
    ],
    [
      'overload',
      529,
      anthropicError('overloaded_error', 'Overloaded'),
      'dependency_unavailable',
      'overloaded',
    ],
    [
      'no credit',
      400,
      anthropicError(
        'invalid_request_error',
        'Your credit balance is too low to access the Anthropic API.',
      ),
      'quota_exhausted',
      'no credit',
    ],
    [
      'a wrong request',
      400,
      anthropicError('invalid_request_error', 'limit: must be at most 31'),
      'bad_request',
    ],
  ],
  gemini: [
    ['a list of models', 200, { models: [] }, null],
    [
      'a wrong key',
      400,
      geminiError(400, 'INVALID_ARGUMENT', 'Please pass a valid API key.', [
        { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US' },
        errorInfo('API_KEY_INVALID', { service: 'generativelanguage.googleapis.com' }),
      ]),
      'auth_failed',
      'not valid',
    ],
    [
      'a wrong key without details',
      400,
      geminiError(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'),
      'auth_failed',
    ],
    [
      'a restricted key',
      403,
      geminiError(403, 'PERMISSION_DENIED', 'Requests are blocked.', [
        errorInfo('API_KEY_SERVICE_BLOCKED'),
      ]),
      'auth_failed',
      'restricted',
    ],
    ['a wrong request', 400, geminiError(400, 'INVALID_ARGUMENT', 'Bad page size'), 'bad_request'],
    [
      'too many requests',
      429,
      geminiError(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted.', [
        { ...quotaExceeded, violations: [{ quotaId: perMinute }] },
      ]),
      'rate_limited',
    ],
    [
      'the quota of the day',
      429,
      geminiError(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', [
        { ...quotaExceeded, violations: [{ quotaId: perMinute }, { quotaId: perDay }] },
      ]),
      'quota_exhausted',
      'of the day',
    ],
    [
      'the quota of the day, told otherwise',
      429,
      geminiError(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', [
        errorInfo('RATE_LIMIT_EXCEEDED', { quota_limit: 'Gemini25ProRequestsPerDay' }),
      ]),
      'quota_exhausted',
    ],
  ],
  deepseek: [
    [
      'a wrong key',
      401,
      {
        error: {
          message: 'Authentication Fails, Your api key: ****fcc2 is invalid',
          type: 'authentication_error',
          param: null,
          code: 'invalid_request_error',
        },
      },
      'auth_failed',
    ],
    [
      'an empty account',
      402,
      { error: { message: 'Insufficient Balance', type: 'unknown_error', param: null } },
      'quota_exhausted',
      'no credit',
    ],
  ],
  gcp: [
    ['an access denied', 403, bigQueryError(403, 'accessDenied'), 'auth_failed'],
    ['a short-term limit', 403, bigQueryError(403, 'rateLimitExceeded'), 'rate_limited'],
    ['a limit of the user', 403, bigQueryError(403, 'userRateLimitExceeded'), 'rate_limited'],
    ['a limit of the job', 400, bigQueryError(400, 'jobRateLimitExceeded'), 'rate_limited'],
    ['a used quota', 403, bigQueryError(403, 'quotaExceeded'), 'quota_exhausted'],
    ['a failed job', 400, bigQueryError(400, 'jobBackendError'), 'dependency_unavailable'],
    ['a project without billing', 403, bigQueryError(403, 'billingNotEnabled'), 'bad_request'],
    ['a wrong query', 400, bigQueryError(400, 'invalidQuery'), 'bad_request'],
    ['no such table', 404, bigQueryError(404, 'notFound'), 'bad_request'],
    [
      'a deleted key',
      400,
      { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' },
      'auth_failed',
    ],
    [
      'a deleted account',
      400,
      { error: 'invalid_grant', error_description: 'Invalid grant: account not found' },
      'auth_failed',
    ],
    [
      'a wrong clock, which is not a wrong key',
      400,
      {
        error: 'invalid_grant',
        error_description:
          'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.',
      },
      'dependency_unavailable',
      'clock',
    ],
  ],
  aws: [
    ['a throttled query API', 400, awsXml('Throttling'), 'rate_limited'],
    ['a throttled JSON API', 400, awsJson('ThrottlingException'), 'rate_limited'],
    [
      'a throttled Cost Explorer',
      400,
      awsJson('com.amazonaws.insights#LimitExceededException'),
      'rate_limited',
    ],
    ['a throttled S3', 503, s3Xml('SlowDown'), 'rate_limited'],
    ['a request too slow for S3', 400, s3Xml('RequestTimeout'), 'timeout'],
    ['a bucket named like an error', 404, s3Xml('NoSuchKey'), 'bad_request'],
    ['a fault of S3', 500, s3Xml('InternalError'), 'dependency_unavailable'],
    [
      'a clock refused by S3',
      403,
      s3Xml('RequestTimeTooSkewed'),
      'dependency_unavailable',
      'clock',
    ],
    ['a late request', 403, awsXml('RequestExpired'), 'dependency_unavailable', 'clock'],
    ['a full service', 402, awsJson('ServiceQuotaExceededException'), 'quota_exhausted'],
    ['too many exports', 400, awsJson('ServiceQuotaExceededException'), 'quota_exhausted'],
    ['a wrong key', 403, awsXml('InvalidClientTokenId'), 'auth_failed', 'not valid'],
    [
      'a wrong key in JSON',
      403,
      { Error: { Code: 'InvalidClientTokenId', Message: 'No.', Type: 'Sender' }, RequestId: '4f' },
      'auth_failed',
      'not valid',
    ],
    ['a wrong secret', 403, awsXml('SignatureDoesNotMatch'), 'auth_failed', 'not valid'],
    ['an expired token', 400, s3Xml('ExpiredToken'), 'auth_failed', 'not valid'],
    ['an expired token in JSON', 400, awsJson('ExpiredTokenException'), 'auth_failed'],
    ['an unknown key in JSON', 400, awsJson('UnrecognizedClientException'), 'auth_failed'],
    ['a missing right', 400, awsJson('AccessDeniedException'), 'auth_failed', 'a right'],
    ['a missing right in S3', 403, s3Xml('AccessDenied'), 'auth_failed', 'a right'],
    ['a wrong request', 400, awsJson('ValidationException'), 'bad_request'],
    ['a wrong cursor', 400, awsJson('InvalidNextTokenException'), 'bad_request'],
  ],
  azure: [
    [
      'a missing role, as 401',
      401,
      { error: { code: 'RBACAccessDenied', message: 'The client does not have authorization.' } },
      'auth_failed',
      'role',
    ],
    [
      'a missing role, as 403',
      403,
      {
        error: { code: 'AuthorizationFailed', message: 'The client does not have authorization.' },
      },
      'auth_failed',
      'role',
    ],
    [
      'a wrong secret',
      401,
      { error: 'invalid_client', error_description: 'AADSTS7000215: …', error_codes: [7000215] },
      'auth_failed',
      'secret',
    ],
    [
      'an unknown application',
      400,
      { error: 'unauthorized_client', error_codes: [700016] },
      'auth_failed',
      'application',
    ],
    [
      'an unknown tenant',
      400,
      { error: 'invalid_request', error_description: 'AADSTS90002: …', error_codes: [90002] },
      'auth_failed',
      'tenant',
    ],
    [
      'another invalid request',
      400,
      { error: 'invalid_request', error_codes: [900144] },
      'bad_request',
    ],
    [
      'a busy token endpoint',
      400,
      { error: 'temporarily_unavailable', error_codes: [90006] },
      'dependency_unavailable',
    ],
    [
      'too many requests',
      429,
      { error: { code: '429', message: 'Too many requests. Please retry.' } },
      'rate_limited',
    ],
  ],
  oci: [
    [
      'a wrong signature',
      401,
      { code: 'NotAuthenticated', message: 'The required information was not provided.' },
      'auth_failed',
    ],
    [
      'a missing policy',
      404,
      { code: 'NotAuthorizedOrNotFound', message: 'Authorization failed or not found.' },
      'auth_failed',
      'policy',
    ],
    ['no such path', 404, { code: 'NotFound', message: 'Not found.' }, 'bad_request'],
    ['too many requests', 429, { code: 'TooManyRequests', message: 'No.' }, 'rate_limited'],
    [
      'a state that passes',
      409,
      { code: 'IncorrectState', message: 'No.' },
      'dependency_unavailable',
    ],
    ['a conflict', 409, { code: 'InvalidatedRetryToken', message: 'No.' }, 'bad_request'],
  ],
  slack: [
    ['a good token', 200, { ok: true, team_id: 'T0001' }, null],
    ...['invalid_auth', 'not_authed', 'account_inactive', 'token_revoked', 'token_expired'].map(
      (error): Example => [error, 200, slackError(error), 'auth_failed', 'not valid'],
    ),
    [
      'missing_scope',
      200,
      { ...slackError('missing_scope'), needed: 'team.billing:read', provided: 'users:read' },
      'auth_failed',
      'lacks a right',
    ],
    ...['no_permission', 'org_login_required', 'ekm_access_denied', 'not_allowed_token_type'].map(
      (error): Example => [error, 200, slackError(error), 'auth_failed', 'lacks a right'],
    ),
    ['ratelimited', 200, slackError('ratelimited'), 'rate_limited'],
    ['ratelimited as 429', 429, slackError('ratelimited'), 'rate_limited'],
    ...['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout'].map(
      (error): Example => [error, 200, slackError(error), 'dependency_unavailable'],
    ),
    ['invalid_cursor', 200, slackError('invalid_cursor'), 'bad_request'],
    ['an error of no name', 200, { ok: false }, 'bad_request'],
  ],
  canva: [
    [
      'a wrong token',
      401,
      { code: 'invalid_access_token', message: 'Access token is invalid' },
      'auth_failed',
      'not valid',
    ],
    [
      'a revoked token',
      401,
      { code: 'revoked_access_token', message: 'Access token has been revoked' },
      'auth_failed',
      'not valid',
    ],
    ['a missing scope', 403, { code: 'missing_scope', message: 'No.' }, 'auth_failed', 'a right'],
    [
      'a used refresh token',
      400,
      { error: 'invalid_grant', error_description: 'The refresh token has already been used.' },
      'auth_failed',
      'made again',
    ],
    ['too many requests', 429, { code: 'too_many_requests', message: 'No.' }, 'rate_limited'],
    ['a SCIM list', 200, { totalResults: 0, resources: [] }, null],
  ],
};

describe('the rules of the providers', () => {
  it('cover exactly the providers that have examples here', () => {
    expect(Object.keys(rules).sort()).toEqual(Object.keys(examples).sort());
  });

  describe.each(Object.entries(examples))('%s', (provider, cases) => {
    const own = rules[provider] ?? [];

    const named = cases.map(([what, status, body, reason, message = '']) => {
      return { what, status, body, reason, message };
    });
    it.each(named)('$what ($status)', ({ status, body, reason, message }) => {
      const error = classify(response(status, body), at, own);
      expect(error?.reasonCode ?? null).toBe(reason);
      expect(error?.message ?? '').toContain(message);
    });

    it('has no rule that changes nothing', () => {
      const outcomes = (given: readonly ErrorRule[]) =>
        cases.map(([, status, body]) => {
          const error = classify(response(status, body), at, given);
          return error && [error.reasonCode, error.message];
        });
      const all = outcomes(own);
      const idle = own.filter((candidate) => {
        const others = own.filter((other) => other !== candidate);
        return JSON.stringify(outcomes(others)) === JSON.stringify(all);
      });
      expect(idle).toEqual([]);
    });
  });

  it('Slack asks for its wait with a 200 as well', () => {
    const answer = response(200, slackError('ratelimited'), { 'retry-after': '30' });
    expect(classify(answer, at, rules['slack'])?.retryAfterMs).toBe(30_000);
  });
});

describe('messages', () => {
  it('never hold anything of a body or a header, whatever the answer', () => {
    const secret = 'sk-proj-4eC39HqLyjWDarjtT1zdp7dc';
    const everyRule = Object.values(rules).flat();
    const bodies = fc.oneof(
      fc.constantFrom(...Object.values(examples).flat()).map(([, , body]) => body),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), bodies, (status, body) => {
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const echoing = [
          text.replaceAll('No.', secret),
          JSON.stringify({ error: { code: secret, message: secret }, code: secret, body }),
          `<Error><Code>${secret}</Code></Error>`,
        ];
        for (const echoed of echoing) {
          const error = classify(response(status, echoed, { 'x-key': secret }), at, everyRule);
          expect(`${error?.message} ${error?.stack}`).not.toContain(secret);
          expect(error?.cause).toBeUndefined();
        }
      }),
    );
  });

  it('are the status and what the rule says', () => {
    expect(classify(response(402), at, rules['deepseek'])?.message).toBe(
      'the provider answered 402: the account has no credit left',
    );
  });
});

describe('what was thrown', () => {
  const withCode = (code: unknown, cause?: unknown) =>
    Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443', { cause }), { code });

  it('is left alone when it is a provider error, also when it was wrapped', () => {
    const error = new ProviderAuthError('no');
    expect(errorOf(error)).toBe(error);
    expect(errorOf(new Error('wrapped', { cause: error }))).toBe(error);
  });

  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'UND_ERR_SOCKET',
  ])('%s is a connection_error', (code) => {
    expect(errorOf(withCode(code)).reasonCode).toBe('connection_error');
    const fetchFailed = new TypeError('fetch failed', { cause: withCode(code) });
    expect(errorOf(fetchFailed)).toMatchObject({
      reasonCode: 'connection_error',
      cause: fetchFailed,
    });
  });

  it.each([
    'ETIMEDOUT',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT',
  ])('%s is a timeout', (code) => {
    expect(errorOf(withCode(code)).reasonCode).toBe('timeout');
    expect(errorOf(new TypeError('fetch failed', { cause: withCode(code) })).reasonCode).toBe(
      'timeout',
    );
  });

  it('an abort is a timeout', () => {
    for (const name of ['AbortError', 'TimeoutError']) {
      const thrown = new DOMException('This operation was aborted', name);
      expect(errorOf(thrown)).toMatchObject({ reasonCode: 'timeout', cause: thrown });
    }
  });

  it('the first error along the causes that is known decides', () => {
    expect(errorOf(withCode('ETIMEDOUT', withCode('ECONNREFUSED'))).reasonCode).toBe('timeout');
    expect(errorOf(withCode('EWHATEVER', withCode('ECONNREFUSED'))).reasonCode).toBe(
      'connection_error',
    );
    expect(errorOf(withCode(20, withCode('ECONNRESET'))).reasonCode).toBe('connection_error');
  });

  it('causes are followed a few steps, and a cycle ends', () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? withCode('ECONNRESET') : new Error('outer', { cause: nested(depth - 1) });
    expect(errorOf(nested(4)).reasonCode).toBe('connection_error');
    expect(errorOf(nested(5)).reasonCode).toBe('internal_error');
    const cycle = new Error('round');
    cycle.cause = cycle;
    expect(errorOf(cycle).reasonCode).toBe('internal_error');
  });

  it.each(['', '{', '[1,]', '"a', 'undefined', '{"a":"\n"}', '{a}', '1 2'])(
    'a body %j that is not JSON is response_invalid',
    (text) => {
      let thrown: unknown;
      try {
        JSON.parse(text);
      } catch (error) {
        thrown = error;
      }
      expect(errorOf(thrown)).toMatchObject({ reasonCode: 'response_invalid', cause: thrown });
    },
  );

  it('a value that fails its schema is response_invalid', () => {
    const { error } = z.object({ data: z.array(z.unknown()) }).safeParse({});
    expect(error).toBeDefined();
    expect(errorOf(error).reasonCode).toBe('response_invalid');
  });

  it('a wrong regular expression of ours is not an answer of theirs', () => {
    let thrown: unknown;
    try {
      new RegExp(['('].join(''));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SyntaxError);
    expect(errorOf(thrown).reasonCode).toBe('internal_error');
  });

  it.each<[string, unknown]>([
    ['a plain error', new Error('sk-secret')],
    ['a bug', new TypeError("Cannot read properties of undefined (reading 'sk-secret')")],
    ['a string', 'sk-secret'],
    ['an object', { code: 'ECONNRESET', message: 'sk-secret' }],
    ['a code that is a member of every object', withCode('constructor')],
    ['nothing', undefined],
    ['null', null],
  ])('%s is an internal_error that does not repeat it', (_, thrown) => {
    const error = errorOf(thrown);
    expect(error.reasonCode).toBe('internal_error');
    expect(error.message).toBe('the call failed for a reason of ours');
    expect(error.cause).toBe(thrown);
  });

  it('becomes a provider error with a code, whatever it was, and never its text', () => {
    fc.assert(
      fc.property(fc.anything(), fc.uuid(), (value, text) => {
        for (const thrown of [value, new Error(text, { cause: value }), withCode(text)]) {
          const error = errorOf(thrown);
          expect(error).toBeInstanceOf(ProviderError);
          expect(REASON_CODES).toContain(error.reasonCode);
          expect(error.message).not.toContain(text);
        }
      }),
    );
  });
});
