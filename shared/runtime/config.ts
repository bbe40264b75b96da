import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as YAML from 'yaml';
import { z } from 'zod';

const Limit = z.strictObject({
  /** Requests one client address may make in a window. */
  per_address: z.int().positive(),
  /** Requests all clients together may make in a window. */
  global: z.int().positive(),
  /** Requests that may name one target host in a window; only where a request has a target. */
  per_host: z.int().positive().optional(),
  window_s: z.int().positive(),
});

const Environment = z.enum(['local', 'stage', 'prod']);

const Config = z.strictObject({
  environment: Environment,
  project: z.string().min(1),
  region: z.string().min(1),
  /** Where a function is reached, with `{name}` for its name. Its own URL is also its OIDC audience. */
  function_url: z.string().includes('{name}'),
  /** The address callers use: quotes_url and the like are built on it. */
  public_url: z.url(),
  /** `jwks` verifies an OIDC token's signature; `iam` trusts that Cloud Run has, and reads its claims. */
  auth_mode: z.enum(['iam', 'jwks']),
  oidc_issuer: z.string(),
  jwks_url: z.url(),
  /** Identities that may call internal, task and push handlers. */
  service_accounts: z.array(z.string()).min(1),
  /** The identity Cloud Tasks calls our handlers with. */
  task_service_account: z.string(),
  /** The only identity whose `X-Forwarded-Authorization` is believed. */
  gateway_service_account: z.string().optional(),
  kms_key: z.string(),
  /** `host:port` of a gRPC endpoint for Cloud Tasks, KMS and Pub/Sub instead of Google's; local only. */
  cloud_endpoint: z.string().optional(),
  /** Permits http, loopback and any port as targets of outbound calls; refused outside `local`. */
  allow_insecure_endpoints: z.boolean(),
  /** Proxies in front of us that append to `X-Forwarded-For`. */
  trusted_hops: z.int().nonnegative(),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
  log_file: z.string().optional(),
  limits: z.strictObject({ public_read: Limit, registration: Limit }),
  operator_key: z.string().min(16),
  /** Keys the HMAC under which request bodies are compared. */
  hmac_key: z.string().min(16),
});
export type Config = z.infer<typeof Config>;

/** Environment variables that override a value of `configs/env/<environment>.yaml`. */
const overrides: Record<string, keyof Config> = {
  GOOGLE_CLOUD_PROJECT: 'project',
  PURVEY_REGION: 'region',
  PURVEY_FUNCTION_URL: 'function_url',
  PURVEY_PUBLIC_URL: 'public_url',
  AUTH_MODE: 'auth_mode',
  OIDC_JWKS_URL: 'jwks_url',
  PURVEY_KMS_KEY: 'kms_key',
  PURVEY_CLOUD_ENDPOINT: 'cloud_endpoint',
  ALLOW_INSECURE_ENDPOINTS: 'allow_insecure_endpoints',
  PURVEY_TRUSTED_HOPS: 'trusted_hops',
  PURVEY_LOG_LEVEL: 'log_level',
  PURVEY_LOG_FILE: 'log_file',
  PURVEY_OPERATOR_KEY: 'operator_key',
  PURVEY_HMAC_KEY: 'hmac_key',
};

const typed = (key: keyof Config, text: string): unknown =>
  key === 'allow_insecure_endpoints'
    ? ['1', 'true'].includes(text)
    : key === 'trusted_hops'
      ? Number(text)
      : text;

/**
 * Reads a file of `configs/`. A build compiles each YAML file to JSON beside it, so that a cold start
 * does not load the YAML parser's grammar for nothing.
 */
export function readConfigFile(path: string): unknown {
  const compiled = new URL(`../../configs/${path}.json`, import.meta.url);
  if (existsSync(compiled)) return JSON.parse(readFileSync(compiled, 'utf8'));
  const yaml = createRequire(import.meta.url)('yaml') as typeof YAML;
  return yaml.parse(readFileSync(new URL(`../../configs/${path}.yaml`, import.meta.url), 'utf8'));
}

/**
 * The typed configuration of `env['PURVEY_ENV']` (default `local`): its YAML file, overridden by the
 * environment, with `{project}` and `{region}` filled in.
 *
 * @throws {Error} naming every wrong or missing value; a function must not start half configured.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const environment = env['PURVEY_ENV'] ?? 'local';
  if (!Environment.safeParse(environment).success)
    throw new Error(`PURVEY_ENV must be local, stage or prod, not "${environment}".`);
  const values: Record<string, unknown> = {
    ...(readConfigFile(`env/${environment}`) as Record<string, unknown>),
    environment,
  };
  for (const [name, key] of Object.entries(overrides)) {
    const text = env[name];
    if (text !== undefined && text !== '') values[key] = typed(key, text);
  }
  const parsed = Config.safeParse(fillIn(values, values));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The ${environment} configuration is not usable.\n  ${wrong.join('\n  ')}`);
  }
  if (environment !== 'local') assertSafe(parsed.data);
  return parsed.data;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

function fillIn(value: unknown, values: Record<string, unknown>): unknown {
  if (typeof value === 'string')
    return value
      .replaceAll('{project}', text(values['project']) ?? '{project}')
      .replaceAll('{region}', text(values['region']) ?? '{region}');
  if (Array.isArray(value)) return value.map((item) => fillIn(item, values));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fillIn(v, values)]));
  return value;
}

function assertSafe(config: Config): void {
  const unsafe = [
    config.allow_insecure_endpoints && 'ALLOW_INSECURE_ENDPOINTS',
    config.cloud_endpoint !== undefined && 'PURVEY_CLOUD_ENDPOINT',
  ].filter((name) => name !== false);
  if (unsafe.length > 0)
    throw new Error(
      `${unsafe.join(' and ')} must not be set in ${config.environment}: unset it and start again.`,
    );
}
