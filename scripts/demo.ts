import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { type ExecutionDemoOptions, playExecutionDemo } from './demo/execution-story.ts';
import { type Refusals, refusalsIn } from './demo/refusals.ts';
import { playDemo } from './demo/story.ts';

const USAGE = `Usage: npm run demo [-- options]

Plays the first story: seven agents register, a buyer asks for quotes, exactly the eligible agents are
told by signed webhook, and the cheapest valid quote wins. Takes about 20 seconds, because one agent
fails twice and is tried again. The exit code is 0 when everything went as it should, else 1.

  --execution          play calls to a provider instead: a retry, a circuit breaker that opens, refuses
                       and recovers, a quota that is used up, a dead letter and its replay, an
                       operator's hand, and the record of it all. Takes about 10 seconds, because the
                       clock of the embedded cloud is moved by about four minutes. With --url it is
                       that instance's, and stays ahead until it is started again
  --url URL            play on a running instance (default: $PURVEY_URL, else an instance of its own,
                       which forgets everything at the end)
  --operator-key KEY   that instance's operator key, as \`npm start\` prints it
                       (default: $PURVEY_OPERATOR_KEY)
  --help               show this

The agents listen on this machine's loopback, so a running instance must be on this machine too.`;

/** After a failure: longer than closing takes. */
const CLOSE_MS_MAX = 3_000;

interface Stage {
  readonly url: string;
  readonly operatorKey: string;
  readonly refuseInProcess?: (tenantId: string, calls: number) => Promise<Refusals>;
  close(): Promise<void>;
}

async function ownStage(): Promise<Stage> {
  console.log('Starting an instance for the demo …');
  const { startPurvey } = await import('../local/purvey.ts');
  const purvey = await startPurvey({
    port: 0,
    env: { ALLOW_INSECURE_ENDPOINTS: 'true', PURVEY_LOG_LEVEL: 'silent' },
  });
  return {
    url: purvey.url,
    operatorKey: purvey.operatorKey,
    refuseInProcess: refusalsIn(purvey),
    async close() {
      // The delivery that an agent left hanging ends with the agent, a moment later.
      await purvey.cloud.idle();
      await purvey.close();
    },
  };
}

function givenStage(url: string, operatorKey: string | undefined): Stage {
  if (!URL.canParse(url)) throw new Error(`--url must be an address, not "${url}".`);
  if (!operatorKey)
    throw new Error('Give --operator-key (or PURVEY_OPERATOR_KEY) too: `npm start` prints it.');
  return { url, operatorKey, close: async () => {} };
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      'operator-key': { type: 'string' },
      execution: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const url = values.url ?? process.env['PURVEY_URL'];
  const operatorKey = values['operator-key'] ?? process.env['PURVEY_OPERATOR_KEY'];
  if (values['operator-key'] !== undefined && !url)
    throw new Error('--operator-key needs --url: the address of the instance it belongs to.');
  const stage = url ? givenStage(url, operatorKey) : await ownStage();
  // Ctrl-C ends the wait, so that the story still cancels its subscriptions.
  const stopped = new AbortController();
  process.once('SIGINT', () => stopped.abort());
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopped.signal });
  try {
    await (values.execution ? playExecution : playDemo)({ ...stage, pause });
  } catch (error) {
    // What went wrong first is what counts.
    await stage.close().catch(() => {});
    throw error;
  }
  await stage.close();
}

async function playExecution(options: ExecutionDemoOptions): Promise<void> {
  const { aheadMs } = await playExecutionDemo(options);
  // Whose instance ends with the demo need not know.
  if (options.refuseInProcess) return;
  const ahead = `The clock of ${options.url} is ${Math.round(aheadMs / 1_000)} s ahead now, until it is started again:`;
  console.log(`${ahead}\nwho verifies webhooks refuses those that are dated 5 minutes ahead.`);
}

try {
  await run();
} catch (error) {
  const isStopped = error instanceof Error && error.name === 'AbortError';
  const message = error instanceof Error ? error.message : String(error);
  console.error(`\n${isStopped ? 'Stopped.' : message}`);
  process.exitCode = isStopped ? 130 : 1;
  // Where the instance could not be closed, it would keep the process.
  setTimeout(() => process.exit(), CLOSE_MS_MAX).unref();
}
