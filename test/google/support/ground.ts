import { readFileSync } from 'node:fs';

import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { ManualClock } from '../../../local/kernel/clock.ts';
import { provision } from '../../../local/provision.ts';
import { createServices } from '../../../shared/google/services.ts';
import { type Config, loadConfig } from '../../../shared/runtime/config.ts';
import { manifest } from '../../../shared/runtime/manifest.ts';
import type { Services } from '../../../shared/runtime/services.ts';

export type Instance = Services & { close: () => Promise<void> };

/** The embedded cloud, provisioned as an installation is, with a clock that stands still. */
export interface Ground {
  readonly cloud: Cloud;
  readonly clock: ManualClock;
  readonly config: Config;
  readonly now: () => Date;
  /** One more instance of the product on this cloud, with Google's real clients. */
  instance(parts?: Parameters<typeof createServices>[1]): Instance;
  close(): Promise<void>;
}

const indexes = JSON.parse(
  readFileSync(new URL('../../../firestore.indexes.json', import.meta.url), 'utf8'),
);

/** Tasks and pushes are kept back: no function is there to take them. */
export async function openGround(env: Readonly<Record<string, string>> = {}): Promise<Ground> {
  // Google's clients look for a metadata server on their first call; there is none here to find.
  process.env['METADATA_SERVER_DETECTION'] ??= 'none';
  const clock = new ManualClock();
  const cloud = await startCloud({ project: 'purvey-local', clock, indexes, holdDeliveries: true });
  const config = loadConfig({
    PURVEY_CLOUD_ENDPOINT: `127.0.0.1:${cloud.port}`,
    PURVEY_OPERATOR_KEY: `pv_op_${'0'.repeat(64)}`,
    PURVEY_HMAC_KEY: 'f'.repeat(64),
    PURVEY_LOG_LEVEL: 'silent',
    ...env,
  });
  await provision(manifest(), config);
  const now = () => new Date(clock.nowMs());
  const instances: Instance[] = [];
  return {
    cloud,
    clock,
    config,
    now,
    instance(parts = {}) {
      const made = createServices(config, { clock, ...parts });
      instances.push(made);
      return made;
    },
    async close() {
      for (const { close } of instances) await close();
      await cloud.close();
    },
  };
}
