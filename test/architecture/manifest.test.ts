import { Cron } from 'croner';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

import { readConfigFile } from '../../shared/runtime/config.ts';
import { manifest } from '../../shared/runtime/manifest.ts';

const root = join(import.meta.dirname, '../..');
const { http, tasks, pubsub, schedules, queues, topics } = manifest();

const sections = { http, tasks, pubsub, schedules };
const all = Object.entries(sections).flatMap(([section, entries]) =>
  Object.entries(entries).map(([name, entry]) => ({ section, name, ...entry })),
);
const httpFunctions = Object.entries(http).map(([name, entry]) => ({ name, ...entry }));

/** What a module of each section exports as its `kind`. */
const kindOf: Record<string, string> = {
  http: 'http',
  tasks: 'task',
  pubsub: 'subscriber',
  schedules: 'schedule',
};

const sourceOf = (source: string) => readFileSync(join(root, `functions/${source}.ts`), 'utf8');
const isInternal = (path: string) => path.startsWith('/internal/');

describe('the manifest and the files', () => {
  it('agree on which functions there are, each listed once', () => {
    const files = globSync('*/*.ts', { cwd: join(root, 'functions') });
    const sources = all.map(({ source }) => `${source}.ts`);
    expect(sources.toSorted()).toEqual(files.map((file) => file.replaceAll('\\', '/')).toSorted());
  });

  it('agree on what each is called: verb and noun, as its file', () => {
    expect(all.filter(({ name, source }) => basename(source) !== name)).toEqual([]);
    expect(all.filter(({ name }) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  it.each(all)('agree on the kind of $name', async ({ section, name, source }) => {
    const module: unknown = await import(pathToFileURL(join(root, `functions/${source}.ts`)).href);
    expect(module).toMatchObject({ default: { kind: kindOf[section], name } });
  });
});

describe('who may call', () => {
  it('an internal route: services and the operator, never the public or a key', () => {
    const wrong = httpFunctions.filter(
      ({ path, callers }) =>
        isInternal(path) &&
        (callers.length === 0 ||
          callers.some((caller) => !['service', 'operator'].includes(caller))),
    );
    expect(wrong).toEqual([]);
  });

  it('a service: internal routes alone, for nothing else is out of reach of the gateway', () => {
    expect(
      httpFunctions.filter(({ path, callers }) => callers.includes('service') && !isInternal(path)),
    ).toEqual([]);
  });

  it('a task, push or schedule handler: the platform alone, so it names no callers', () => {
    const raw = readConfigFile('functions') as Record<string, Record<string, object>>;
    const handlers = ['tasks', 'pubsub', 'schedules'].flatMap((section) =>
      Object.values(raw[section] ?? {}),
    );
    expect(handlers.length).toBeGreaterThan(0);
    expect(handlers.filter((entry) => 'callers' in entry || 'path' in entry)).toEqual([]);
  });

  it('an open endpoint: everyone, within a limit; health alone has none', () => {
    const open = httpFunctions.filter(({ callers }) => callers.includes('public'));
    expect(open.filter(({ limit }) => limit === undefined).map(({ name }) => name)).toEqual([
      'health',
    ]);
    const limited = httpFunctions.filter(({ limit }) => limit !== undefined);
    expect(limited.filter((entry) => !open.includes(entry))).toEqual([]);
  });
});

describe('routes', () => {
  it('are unique, whatever their parameters are called', () => {
    const routes = httpFunctions.map(
      ({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`,
    );
    expect(routes.filter((route, i) => routes.indexOf(route) !== i)).toEqual([]);
  });

  it('have well-formed paths', () => {
    const wellFormed = /^(\/([a-z0-9-]+|\{[a-z_]+\}))+$/;
    expect(httpFunctions.filter(({ path }) => !wellFormed.test(path))).toEqual([]);
  });

  it.each([
    ['/providers/', 'provider_id'],
    ['/orgs/', 'org'],
  ])('call the parameter after %s {%s}: ownership is decided by that name', (after, name) => {
    const parameters = httpFunctions.flatMap(
      ({ path }) => path.match(new RegExp(`${after}\\{(\\w+)\\}`))?.[1] ?? [],
    );
    expect(parameters.length).toBeGreaterThan(0);
    expect(parameters.filter((parameter) => parameter !== name)).toEqual([]);
  });
});

describe('what a function is wired to', () => {
  it('is a queue that exists, and every queue is used', () => {
    const used = Object.values(tasks).map(({ queue }) => queue);
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(queues).toSorted());
  });

  it('is a topic that exists', () => {
    const used = Object.values(pubsub).map(({ topic }) => topic);
    expect(used.filter((topic) => !topics.includes(topic))).toEqual([]);
  });

  it('is a task function that exists, wherever one is enqueued', () => {
    const enqueued = globSync('{functions,shared}/**/*.ts', { cwd: root }).flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\bfunction: '([\w-]+)'/g)].map(
        ([, name]) => name ?? '',
      ),
    );
    expect(enqueued.filter((name) => !Object.hasOwn(tasks, name))).toEqual([]);
  });

  it('is a schedule that can be read', () => {
    for (const { cron, time_zone: timezone } of Object.values(schedules))
      expect(new Cron(cron, { paused: true, timezone }).nextRun()).toBeInstanceOf(Date);
  });
});

describe('what a function needs', () => {
  it.each([
    ['outbound', /\b(outbound|WebhookProvider|EndpointProbe)\b/],
    ['kms', /\bvault\b/],
  ] as const)('is %s exactly where it uses it', (need, use) => {
    const wrong = all.filter(
      ({ needs, source }) => needs.includes(need) !== use.test(sourceOf(source)),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('is firestore wherever keys are looked up, requests are counted or repeats are recognised', () => {
    const wrong = httpFunctions.filter(
      ({ needs, callers, limit, method }) =>
        !needs.includes('firestore') &&
        (limit !== undefined || method === 'POST' || callers.some((caller) => caller !== 'public')),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('gives it its service account, together with who calls it: few enough to oversee', () => {
    const accounts = new Set(
      all.map((entry) =>
        JSON.stringify([
          entry.section,
          // Scopes are checked in the function: they are nobody's concern who deploys it.
          'callers' in entry
            ? [...new Set(entry.callers.map((caller: string) => caller.replace(/:.*/, '')))].join()
            : [],
          entry.needs.toSorted(),
        ]),
      ),
    );
    expect(accounts.size).toBeLessThanOrEqual(24);
  });

  it('is room for its concurrent requests: 1 vCPU, and no more instances than its queue feeds', () => {
    expect(all.filter(({ cpu, concurrency }) => cpu < 1 && concurrency > 1)).toEqual([]);
    for (const { queue, concurrency, max_instances: instances } of Object.values(tasks))
      expect(queues[queue]?.max_concurrent).toBeLessThanOrEqual(concurrency * instances);
  });
});
