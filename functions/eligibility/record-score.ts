import { ScoreSnapshot, RecordScore } from '../../shared/eligibility/ledger.ts';
import { recordScore, recordScoreRefs } from '../../shared/eligibility/record-score.ts';
import { endpoint } from '../../shared/runtime/endpoint.ts';
import { eligibilityPolicy } from '../../shared/runtime/settings.ts';

export default endpoint('record-score', {
  summary: "Record a provider's score, 0 to 100; the newest counts",
  body: RecordScore,
  reply: ScoreSnapshot.omit({ version: true }),
  status: 201,
  handle: async ({ params: { provider_id = '' }, body }, { store, command }) => {
    const { policy } = eligibilityPolicy();
    const recording = command({ provider_id, request: body, policy });
    return (await store.apply(recording, recordScoreRefs(recording), recordScore)).reply;
  },
});
