import {
  type EligibilityPolicy,
  parseEligibilityPolicy,
  policyVersion,
} from '../eligibility/policy.ts';
import { KnownMetrics, type ProviderRegistry, parseProviderRegistry } from '../providers/config.ts';
import { ExecutionSettings } from '../execution/policy.ts';
import { readConfigFile } from './config.ts';

const once = <T>(load: () => T) => {
  let loaded: { value: T } | undefined;
  return () => (loaded ??= { value: load() }).value;
};

/** `configs/provider-registry.yaml`, read once per instance, with `${NAME}` from the environment. */
export const providerRegistry: () => ProviderRegistry = once(() =>
  parseProviderRegistry(readConfigFile('provider-registry'), process.env),
);

/** `configs/known-metrics.yaml`, read once per instance. */
export const knownMetrics: () => KnownMetrics = once(() =>
  KnownMetrics.parse(readConfigFile('known-metrics')),
);

/** `configs/eligibility-policy.yaml` with its content hash, read once per instance. */
export const eligibilityPolicy: () => { policy: EligibilityPolicy; policy_version: string } = once(
  () => {
    const policy = parseEligibilityPolicy(readConfigFile('eligibility-policy'));
    return { policy, policy_version: policyVersion(policy) };
  },
);

/** `configs/execution.yaml`, read once per instance. */
export const executionSettings: () => ExecutionSettings = once(() =>
  ExecutionSettings.parse(readConfigFile('execution')),
);
