import type { Config } from './config.ts';

/** A function's own URL, which is also what OIDC tokens for it must be meant for. */
export const audienceOf = ({ function_url: url }: Config, name: string): string =>
  url.replace('{name}', name);
