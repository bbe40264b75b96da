import { type FieldIssue } from '../errors.ts';
import type { ProviderBase } from '../execution/provider-base.ts';
import { SyntheticProvider } from '../execution/synthetic.ts';
import type { JsonObject } from '../execution/task-execution.ts';
import type { Services } from './services.ts';

interface CallableProvider {
  readonly providerName: string;
  readonly capability: string;
  readonly create: (services: Services) => ProviderBase<JsonObject, unknown>;
}

interface Wanted {
  readonly provider_name: string;
  readonly capability: string;
}

/** What `run-provider-task` can call: one line for each provider and capability. */
const callable: readonly CallableProvider[] = [
  {
    providerName: SyntheticProvider.providerName,
    capability: SyntheticProvider.capability,
    create: (services) => new SyntheticProvider(services),
  },
];

const found = ({ provider_name, capability }: Wanted) =>
  callable.find((each) => each.providerName === provider_name && each.capability === capability);

export const callableProvider = (
  wanted: Wanted,
  services: Services,
): ProviderBase<JsonObject, unknown> | null => found(wanted)?.create(services) ?? null;

/** Each as `provider (capability)`. */
export const callableProviders = (): string[] =>
  callable.map(({ providerName, capability }) => `${providerName} (${capability})`);

/** What is wrong with the names of a provider and capability; null when they can be called. */
export function notCallable(wanted: Wanted): FieldIssue | null {
  if (found(wanted)) return null;
  const ofProvider = callable.filter(({ providerName }) => providerName === wanted.provider_name);
  return ofProvider.length === 0
    ? {
        field: 'body.provider_name',
        reason: `is not known; known: ${callableProviders().join(', ')}`,
      }
    : {
        field: 'body.capability',
        reason: `is not one of ${wanted.provider_name}; known: ${ofProvider.map(({ capability }) => capability).join(', ')}`,
      };
}
