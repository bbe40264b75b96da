import { mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

import { type Logger, destination, pino } from 'pino';

import type { Config } from './config.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

/** pino's levels in Cloud Logging's words. */
const severityOf: Record<string, string> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/** The shapes of every secret that Purvey issues or is given; nothing that looks like one is logged. */
const SECRETS =
  /(aex_[ps]k_live_|pv_org_|pv_op_|whsec_)[A-Za-z0-9+/=_-]+|([Bb]earer\s+)[A-Za-z0-9._~+/=-]+|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;

/** Fields that hold a secret whatever it looks like. */
const SECRET_FIELDS = [
  'authorization',
  'api_key',
  'api_secret',
  'webhook_secret',
  'operator_key',
  'headers',
];

/** Replaces anything shaped like a secret, keeping its kind readable. */
export const redact = (text: string): string =>
  text.replace(
    SECRETS,
    (_match, kind?: string, bearer?: string) => `${kind ?? bearer ?? ''}[redacted]`,
  );

/** Structured logs as Cloud Logging reads them, on standard output or, when set, in `config.log_file`. */
export function createLog(config: Pick<Config, 'log_level' | 'log_file' | 'environment'>): Log {
  return pino(
    {
      level: config.log_level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: severityOf[label] ?? 'DEFAULT' }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: '[redacted]',
      },
      hooks: { streamWrite: redact },
    },
    config.log_file === undefined
      ? destination({ dest: 1, sync: true })
      : destination({ dest: opened(config.log_file), sync: false }),
  );
}

/** Opened at once: where pino opens a file by itself, a process that ends soon after throws. */
function opened(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(file, 'a');
}
