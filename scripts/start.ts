import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startPurvey } from '../local/purvey.ts';

const USAGE = `Usage: npm start [-- options]

Starts the embedded cloud and every function on one port, loopback only.

  --port N     port of the API (default: $PORT, else 8080)
  --fresh      forget everything an earlier start has stored
  --demo       play the demo story once everything runs
  --help       show this

State is kept in .purvey/ (PURVEY_DATA moves it); logs are in .purvey/purvey.log.`;

/** Variables of the shell that count here; its Google Cloud settings do not. */
const HEEDED = [
  'ALLOW_INSECURE_ENDPOINTS',
  'PURVEY_LOG_FILE',
  'PURVEY_LOG_LEVEL',
  'PURVEY_OPERATOR_KEY',
  'PURVEY_TRUSTED_HOPS',
];

function options() {
  try {
    return parseArgs({
      options: {
        port: { type: 'string' },
        fresh: { type: 'boolean', default: false },
        demo: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const values = options();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const port = Number(values.port ?? process.env['PORT'] ?? 8080);
const folder = process.env['PURVEY_DATA'] ?? fileURLToPath(new URL('../.purvey', import.meta.url));
const startedMs = performance.now();

try {
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(
      `The port must be a number from 0 to 65535, not "${values.port ?? process.env['PORT']}".`,
    );
  const purvey = await startPurvey({
    port,
    file: `${folder}/cloud.db`,
    fresh: values.fresh,
    tell: (sentence) => console.log(sentence),
    env: {
      // Agents on this machine speak plain http on loopback; stage and prod refuse to start with it.
      ALLOW_INSECURE_ENDPOINTS: 'true',
      PURVEY_LOG_FILE: `${folder}/purvey.log`,
      ...Object.fromEntries(
        HEEDED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
      ),
    },
  });
  const took = ((performance.now() - startedMs) / 1_000).toFixed(1);
  console.log(`
Purvey is ready after ${took} s${purvey.resumed ? ', with the data of the last start' : ''}.

  API            ${purvey.url}
  Inspector      ${purvey.url}/_local
  Operator key   ${purvey.operatorKey}
  State, logs    ${folder} (--fresh forgets it)

Try:
  curl -s ${purvey.url}/v1/providers -H 'X-Operator-Key: ${purvey.operatorKey}'

The README tells the first story step by step; \`npm run demo\` plays it. Stop with Ctrl-C.`);

  const stop = () => {
    void purvey.close().then(() => process.exit(0));
    setTimeout(() => process.exit(0), 2_000).unref();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  if (values.demo) {
    const { playDemo } = await import('./demo/story.ts');
    await playDemo({ url: purvey.url, operatorKey: purvey.operatorKey });
  }
} catch (error) {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  console.error(
    inUse
      ? `Port ${port} is in use. Stop what runs there, or choose another: PORT=${port + 1} npm start`
      : error instanceof Error
        ? error.message
        : error,
  );
  process.exit(1);
}
