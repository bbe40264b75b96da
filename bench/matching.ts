/*
 * Finding the subscribed providers over HTTP, with 1,000, 10,000 and 50,000 providers of whom the same
 * 20 match: three installations in one process, asked in turn. `node bench/matching.ts`
 */
import { provide } from '../shared/runtime/services.ts';
import { type Reply, type TestPurvey, startTestPurvey } from '../test/support/purvey.ts';
import {
  eligibleMatch,
  percentile,
  plainSubscription,
  report,
  round,
  type Seed,
  seed,
  seedOf,
  timeMs,
} from './support.ts';

const SIZES = [1_000, 10_000, 50_000] as const;
const HITS = 20;
const BRANCHES = 25;
const CATEGORIES = 500;
const WARM_UP = 100;
const REQUESTS = 500;
/** The goals: p50 against that of the smallest size, and reads beyond the candidates. */
const RATIO = 1.5;
const READS_BEYOND_CANDIDATES = 2;

interface Case {
  readonly name: string;
  readonly category: string;
  /** Of the nth provider that matches. */
  readonly patterns: (nth: number) => readonly string[];
}

const cases: readonly Case[] = [
  {
    name: 'plain patterns',
    category: 'travel.booking.flights',
    patterns: (nth) => [
      ['travel.*', 'travel.booking.*', 'travel.book*', 'travel.booking.flights'][nth % 4] ?? '',
      `other-${nth}.work.*`,
    ],
  },
  {
    // Those before the last are tried to the very end of the longest category, and do not fit.
    name: 'hostile globs',
    category: `freight.${'a'.repeat(190)}b`,
    patterns: () => [
      ...['c', 'd'].map((end) => `freight.a${'*a'.repeat(55)}*${end}`),
      ...['c', 'd'].map((end) => `freight.a*${'a'.repeat(95)}${end}*`),
      `freight.a${'*a'.repeat(55)}*b`,
    ],
  },
];

/** The `index`th provider that matches neither case: two of 500 categories, one exact, one a branch. */
const otherPatterns = (index: number): string[] => {
  const [exact, near] = [index % CATEGORIES, (index * 7 + 3) % CATEGORIES];
  return [
    `branch-${exact % BRANCHES}.line.kind-${exact}`,
    `branch-${near % BRANCHES}.kind-${near}.*`,
  ];
};

function* providers(size: number, at: Date): Generator<Seed> {
  const match = (index: number, patterns: readonly string[]) => {
    const webhook = `https://agent-${index}.example.com/work`;
    return seedOf(eligibleMatch(index, [plainSubscription(index, patterns, webhook, at)], at));
  };
  // Spread over the ids: what is found must not lie together.
  const step = Math.floor(size / (HITS * cases.length));
  for (let index = 0; index < size; index++) {
    const nth = index % step === 0 ? index / step : Number.POSITIVE_INFINITY;
    const chosen = cases[Math.floor(nth / HITS)];
    yield match(index, chosen ? chosen.patterns(nth % HITS) : otherPatterns(index));
  }
}

/** The functions of one process know one installation at a time. */
const ask = (purvey: TestPurvey, category: string): Promise<Reply> => {
  provide(() => purvey.services);
  const query = new URLSearchParams({ category });
  return purvey.call('GET', `/internal/v1/providers/subscribed?${query.toString()}`, {
    as: 'operator',
  });
};

async function measure({ name, category }: Case, installations: readonly TestPurvey[]) {
  for (const purvey of installations) {
    const { status, body } = await ask(purvey, category);
    if (status !== 200 || body.count !== HITS)
      throw new Error(`expected ${HITS} providers, got ${body.count} and status ${status}`);
  }
  for (let round = 0; round < WARM_UP; round++)
    for (const purvey of installations) await ask(purvey, category);

  const samples = installations.map((): number[] => []);
  for (let round = 0; round < REQUESTS; round++)
    for (const [index, purvey] of installations.entries())
      samples[index]?.push(await timeMs(() => ask(purvey, category)));

  const smallest = percentile(samples[0] ?? [], 0.5);
  for (const [index, purvey] of installations.entries()) {
    const took = samples[index] ?? [];
    const { usage } = await purvey.cloud.meter.measure(() => ask(purvey, category));
    report('matching', name, {
      providers: SIZES[index],
      hits: HITS,
      p50Ms: round(percentile(took, 0.5)),
      p99Ms: round(percentile(took, 0.99)),
      ratio: round(percentile(took, 0.5) / smallest),
      ratioGoal: RATIO,
      reads: usage.reads,
      readsGoal: HITS + READS_BEYOND_CANDIDATES,
      requests: REQUESTS,
    });
  }
}

const installations: TestPurvey[] = [];
for (const size of SIZES) {
  const purvey = await startTestPurvey();
  installations.push(purvey);
  const at = new Date(purvey.clock.nowMs());
  const ms = await timeMs(() => seed(purvey.config, providers(size, at)));
  report('matching', 'seeding', { providers: size, ms: round(ms) });
}
for (const each of cases) await measure(each, installations);
for (const purvey of installations) await purvey.close();
