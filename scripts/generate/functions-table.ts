import type { Manifest } from '../../shared/runtime/manifest.ts';
import { loadFunction } from './load-functions.ts';

const BEGIN = '<!-- functions: generated from configs/functions.yaml by `npm run generate` -->';
const END = '<!-- /functions -->';

/** README.md with the table between its marks replaced. */
export async function functionsTable(
  { http, tasks, pubsub, schedules }: Manifest,
  readme: string,
): Promise<string> {
  const trigger: [name: string, source: string, trigger: string, callers: string][] = [
    ...Object.entries(http).map(([name, entry]): [string, string, string, string] => [
      name,
      entry.source,
      `\`${entry.method} ${entry.path}\``,
      [...new Set([...entry.callers, 'operator'])].join(', '),
    ]),
    ...Object.entries(tasks).map(([name, entry]): [string, string, string, string] => [
      name,
      entry.source,
      `task on \`${entry.queue}\``,
      'Cloud Tasks',
    ]),
    ...Object.entries(pubsub).map(([name, entry]): [string, string, string, string] => [
      name,
      entry.source,
      `messages of \`${entry.topic}\``,
      'Pub/Sub',
    ]),
    ...Object.entries(schedules).map(([name, entry]): [string, string, string, string] => [
      name,
      entry.source,
      `cron \`${entry.cron}\``,
      'Cloud Scheduler',
    ]),
  ];
  const rows = await Promise.all(
    trigger.map(async ([name, source, when, callers]) => {
      const loaded = await loadFunction(source);
      const summary = 'spec' in loaded ? loaded.spec.summary : loaded.summary;
      return `| [${name}](functions/${source}.ts) | ${when} | ${callers} | ${summary} |`;
    }),
  );
  const table = [
    '| function | trigger | callers | what it does |',
    '| --- | --- | --- | --- |',
    ...rows,
  ];
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error(`README.md needs the marks ${BEGIN} and ${END}`);
  return `${readme.slice(0, from)}${BEGIN}\n\n${table.join('\n')}\n\n${readme.slice(to)}`;
}
