import { z } from 'zod';

import { RecordCollateral } from '../../shared/eligibility/ledger.ts';
import {
  recordCollateral,
  recordCollateralRefs,
} from '../../shared/eligibility/record-collateral.ts';
import { callerName } from '../../shared/runtime/caller.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { eligibilityPolicy } from '../../shared/runtime/settings.ts';

export default endpoint('record-collateral', {
  summary: 'Record a deposit, withdrawal, lock or release of collateral',
  description: 'Send an Idempotency-Key: a repeated deposit without one counts twice.',
  body: RecordCollateral,
  reply: z.object({ entry_id: z.string(), balance: z.string(), currency: z.string() }),
  status: 201,
  errors: ['conflict'],
  handle: async ({ params: { provider_id = '' }, body }, { store, command, caller }) => {
    const recording = command({
      provider_id,
      request: body,
      recorded_by: callerName(caller),
      policy: eligibilityPolicy().policy,
    });
    return (await store.apply(recording, recordCollateralRefs(recording), recordCollateral)).reply;
  },
});
