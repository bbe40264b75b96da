import { describe, expect, it } from 'vitest';

import { loadConfig } from '../../shared/runtime/config.ts';

const KEYS = {
  PURVEY_OPERATOR_KEY: 'pv_op_0123456789abcdef',
  PURVEY_HMAC_KEY: 'fedcba9876543210fedcba9876543210',
};
const DEPLOYED = {
  ...KEYS,
  GOOGLE_CLOUD_PROJECT: 'acme-providers',
  PURVEY_PUBLIC_URL: 'https://api.example.com',
};

describe('the configuration', () => {
  it('is the local one when no environment is named', () => {
    const config = loadConfig(KEYS);
    expect(config).toMatchObject({
      environment: 'local',
      project: 'purvey-local',
      operator_key: KEYS.PURVEY_OPERATOR_KEY,
      allow_insecure_endpoints: false,
    });
  });

  it.each(['stage', 'prod'])('of %s takes project and region from the environment', (name) => {
    const config = loadConfig({ ...DEPLOYED, PURVEY_ENV: name, PURVEY_REGION: 'europe-west1' });
    expect(config).toMatchObject({
      environment: name,
      project: 'acme-providers',
      region: 'europe-west1',
      auth_mode: 'iam',
      function_url: 'https://europe-west1-acme-providers.cloudfunctions.net/{name}',
      task_service_account: 'purvey-tasks@acme-providers.iam.gserviceaccount.com',
      gateway_service_account: 'purvey-gateway@acme-providers.iam.gserviceaccount.com',
      kms_key: `projects/acme-providers/locations/europe-west1/keyRings/purvey-${name}/cryptoKeys/credentials`,
    });
    expect(JSON.stringify(config)).not.toMatch(/\{(project|region)\}/);
  });

  it('reads booleans and numbers of the environment as such', () => {
    const load = (env: Record<string, string>) => loadConfig({ ...KEYS, ...env });
    expect(load({ ALLOW_INSECURE_ENDPOINTS: '1' }).allow_insecure_endpoints).toBe(true);
    expect(load({ ALLOW_INSECURE_ENDPOINTS: 'true' }).allow_insecure_endpoints).toBe(true);
    expect(load({ ALLOW_INSECURE_ENDPOINTS: '0' }).allow_insecure_endpoints).toBe(false);
    expect(load({ PURVEY_TRUSTED_HOPS: '2' }).trusted_hops).toBe(2);
  });

  it('takes an empty variable for an absent one', () => {
    expect(loadConfig({ ...KEYS, GOOGLE_CLOUD_PROJECT: '' }).project).toBe('purvey-local');
  });
});

describe('a function must not start', () => {
  it('with missing values, all of which are named', () => {
    const start = () => loadConfig({ PURVEY_ENV: 'prod' });
    expect(start).toThrow(/^The prod configuration is not usable\./);
    for (const name of ['project', 'public_url', 'operator_key', 'hmac_key'])
      expect(start).toThrow(new RegExp(`^  ${name}: `, 'm'));
  });

  it.each([
    ['trusted_hops', { PURVEY_TRUSTED_HOPS: 'many' }],
    ['trusted_hops', { PURVEY_TRUSTED_HOPS: '-1' }],
    ['auth_mode', { AUTH_MODE: 'none' }],
    ['public_url', { PURVEY_PUBLIC_URL: 'api' }],
    ['function_url', { PURVEY_FUNCTION_URL: 'http://127.0.0.1:8080' }],
    ['operator_key', { PURVEY_OPERATOR_KEY: 'short' }],
    ['hmac_key', { PURVEY_HMAC_KEY: 'short' }],
    ['log_level', { PURVEY_LOG_LEVEL: 'loud' }],
  ])('with a wrong value, which is named: %s', (name, env) => {
    expect(() => loadConfig({ ...KEYS, ...env })).toThrow(new RegExp(`^  ${name}: `, 'm'));
  });

  it('nor tell a secret when it refuses', () => {
    expect(() => loadConfig({ ...KEYS, PURVEY_HMAC_KEY: 'hush' })).not.toThrow(/hush/);
  });

  it.each(['production', 'Prod', '../env/prod'])(
    'in an environment that does not exist: %s',
    (name) => {
      expect(() => loadConfig({ ...DEPLOYED, PURVEY_ENV: name })).toThrow(
        'PURVEY_ENV must be local, stage or prod',
      );
    },
  );

  it.each(['stage', 'prod'])('in %s with what only a developer may do', (name) => {
    const deployed = { ...DEPLOYED, PURVEY_ENV: name };
    expect(() => loadConfig({ ...deployed, ALLOW_INSECURE_ENDPOINTS: '1' })).toThrow(
      `ALLOW_INSECURE_ENDPOINTS must not be set in ${name}`,
    );
    expect(() => loadConfig({ ...deployed, PURVEY_CLOUD_ENDPOINT: '127.0.0.1:8085' })).toThrow(
      `PURVEY_CLOUD_ENDPOINT must not be set in ${name}`,
    );
    expect(() => loadConfig(deployed)).not.toThrow();
  });
});
