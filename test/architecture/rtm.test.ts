import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pathsSchema = z
  .union([z.string().min(1), z.array(z.string().min(1)).nonempty()])
  .transform((paths) => (typeof paths === 'string' ? [paths] : paths));

const placesShape = {
  rule: pathsSchema.optional(),
  function: pathsSchema.optional(),
  document: pathsSchema.optional(),
};

// Work that has no number yet goes by name; take a name out when its issue is written.
const issueSchema = z.union([
  z.int().min(2),
  z.enum(['pipelines-and-cost', 'console', 'deployment']),
]);

const requirementShape = {
  id: z.string().regex(/^[A-Z]+(-[A-Z0-9]+)+([.][0-9]+|[/][\w.-]+)$/),
  spec: z.string().min(1),
  text: z.string().min(1),
};

const requirementSchema = z.discriminatedUnion('status', [
  z.strictObject({
    ...requirementShape,
    ...placesShape,
    status: z.literal('met'),
    issue: issueSchema.optional(),
    test: pathsSchema,
  }),
  z.strictObject({
    ...requirementShape,
    ...placesShape,
    status: z.literal('planned'),
    issue: issueSchema,
    test: pathsSchema.optional(),
  }),
  z.strictObject({
    ...requirementShape,
    status: z.literal('not_applicable'),
    reason: z.string().min(1),
    document: pathsSchema.optional(),
  }),
]);
type Requirement = z.infer<typeof requirementSchema>;

// `.1-5` stands for GROUP.1 to GROUP.5, any other word for GROUP/word.
const indexSchema = z.record(
  z.string(),
  z.record(z.string(), z.string().regex(/^([.]1-\d+|[\w][\w.-]*)( [\w][\w.-]*)*$/)),
);
type Index = z.infer<typeof indexSchema>;

/** Where each kind of path must lie; a document may lie anywhere in the repository. */
const folderOf = { rule: 'shared/', function: 'functions/', test: 'test/', document: '' } as const;

/** Every defect of the matrix in words, none when it holds. */
function defectsOf(
  matrix: readonly unknown[],
  index: Index,
  exists: (path: string) => boolean,
): string[] {
  const defects: string[] = [];
  const requirements: Requirement[] = [];
  for (const [n, entry] of matrix.entries()) {
    const parsed = requirementSchema.safeParse(entry);
    if (parsed.success) requirements.push(parsed.data);
    else
      for (const { path, message } of parsed.error.issues)
        defects.push(`${nameOf(entry, n)}: ${path.join('.') || 'entry'}: ${message}`);
  }

  const expected = idsIn(index);
  const seen = new Set<string>();
  for (const requirement of requirements) {
    const { id } = requirement;
    if (seen.has(id)) defects.push(`${id}: twice`);
    seen.add(id);
    const spec = expected.get(id);
    if (spec === undefined) defects.push(`${id}: not in docs/requirements-index.yaml`);
    else if (spec !== requirement.spec) defects.push(`${id}: belongs to ${spec}`);
    for (const [kind, path] of pathsOf(requirement)) {
      if (!path.startsWith(folderOf[kind]))
        defects.push(`${id}: ${kind} ${path} is not in ${folderOf[kind]}`);
      else if (requirement.status !== 'planned' && !exists(path))
        defects.push(`${id}: ${kind} ${path} does not exist`);
    }
  }
  for (const id of expected.keys()) if (!seen.has(id)) defects.push(`${id}: not covered`);
  return defects;
}

function nameOf(entry: unknown, n: number): string {
  const named = z.object({ id: z.string() }).safeParse(entry);
  return named.success ? named.data.id : `entry ${n}`;
}

function pathsOf(requirement: Requirement): [keyof typeof folderOf, string][] {
  const places: Partial<Record<keyof typeof folderOf, string[] | undefined>> = requirement;
  return (['rule', 'function', 'test', 'document'] as const).flatMap((kind) =>
    (places[kind] ?? []).map((path): [keyof typeof folderOf, string] => [kind, path]),
  );
}

/** Every id of the index, with its specification. */
function idsIn(index: Index): Map<string, string> {
  const ids = new Map<string, string>();
  for (const [spec, groups] of Object.entries(index))
    for (const [group, words] of Object.entries(groups))
      for (const word of words.split(' ')) {
        const last = /^[.]1-(\d+)$/.exec(word)?.[1];
        if (last === undefined) ids.set(`${group}/${word}`, spec);
        else for (let n = 1; n <= Number(last); n++) ids.set(`${group}.${n}`, spec);
      }
  return ids;
}

const matrix = z.array(z.unknown()).parse(parse(read('docs/rtm.yaml')));
const index = indexSchema.parse(parse(read('docs/requirements-index.yaml')));

describe('the traceability matrix', () => {
  it('covers every requirement once, and names no path that does not exist', () => {
    expect(defectsOf(matrix, index, (path) => existsSync(join(root, path)))).toEqual([]);
  });

  const one = { id: 'EWP-1.1', spec: 'plan', text: 'x' };
  const met = { ...one, status: 'met', test: 'test/a.test.ts' };
  const small: Index = { plan: { 'EWP-1': '.1-1' } };
  const defects = (...entries: object[]) => defectsOf(entries, small, () => true);

  it('accepts a sound entry of each status', () => {
    expect(defects(met)).toEqual([]);
    expect(defects({ ...one, status: 'planned', issue: 2, rule: 'shared/a.ts' })).toEqual([]);
    expect(defects({ ...one, status: 'not_applicable', reason: 'x' })).toEqual([]);
  });

  it.each([
    ['a duplicate id', [met, met], 'EWP-1.1: twice'],
    ['an uncovered id', [], 'EWP-1.1: not covered'],
    ['an id that no specification has', [met, { ...met, id: 'EWP-1.2' }], 'EWP-1.2: not in docs'],
    ['an entry under another specification', [{ ...met, spec: 'b' }], 'EWP-1.1: belongs to plan'],
    ['an unknown status', [{ ...met, status: 'done' }], 'EWP-1.1: status'],
    ['met without a test', [{ ...one, status: 'met' }], 'EWP-1.1: test'],
    ['planned without an issue', [{ ...one, status: 'planned' }], 'EWP-1.1: issue'],
    ['not_applicable without a reason', [{ ...one, status: 'not_applicable' }], 'EWP-1.1: reason'],
    [
      'a rule outside shared/',
      [{ ...met, rule: 'functions/a.ts' }],
      'EWP-1.1: rule functions/a.ts',
    ],
    ['a field it does not know', [{ ...met, rules: 'shared/a.ts' }], 'EWP-1.1: entry'],
  ])('refuses %s', (_, entries, defect) => {
    expect(defects(...entries)).toContainEqual(expect.stringContaining(defect));
  });

  it('refuses a path that does not exist, except where it is only planned', () => {
    const planned = { ...met, status: 'planned', issue: 2 };
    const defect = 'EWP-1.1: test test/a.test.ts does not exist';
    expect(defectsOf([met], small, () => false)).toEqual([defect]);
    expect(defectsOf([planned], small, () => false)).toEqual([]);
  });
});

// The specifications are not part of the repository; where they lie beside it, the matrix is also
// held against their text.
const specs = join(root, '../shared/specs');
const specText = (name: string): string => readFileSync(join(specs, `${name}.md`), 'utf8');

describe.runIf(existsSync(specs))('the specifications', () => {
  const covered = idsIn(index);

  it('have no FR-PM or NFR-PM requirement that the index lacks', () => {
    const ids = managementIds(specText('provider-management-requirements'));
    expect(ids.length).toBeGreaterThan(90);
    expect(ids.filter((id) => !covered.has(id))).toEqual([]);
  });

  it('name no endpoint, event, metric, state, column or class that the matrix lacks', () => {
    const entriesOf = (spec: string): string =>
      matrix
        .map((entry) =>
          z.object({ spec: z.string(), id: z.string(), text: z.string() }).parse(entry),
        )
        .filter((entry) => entry.spec === spec)
        .map(({ id, text }) => `${id} ${text}`)
        .join('\n');

    const execution = specText('provider-execution-foundation').split(/^## /m);
    const names = execution
      .filter((section) => /^([5-9]|1[0-2])\)/.test(section))
      .flatMap((section) => [...section.matchAll(/`(\w+_\w+|Provider[A-Z]\w+)`/g)])
      .map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(80);
    const foundation = entriesOf('provider-execution-foundation');
    expect(names.filter((name) => !foundation.includes(name))).toEqual([]);

    const phaseB = specText('provider-registry-phase-b');
    const promised = [
      ...phaseB.matchAll(/^#### ((?:GET|POST|PUT) \S+)$/gm),
      ...phaseB.matchAll(/"event_type": "([\w.]+)"/g),
      ...phaseB.matchAll(/(?:Counter|Histogram|Gauge)\(\s*"(\w+)"/g),
      ...phaseB.matchAll(/^ {4}([a-z_]+): (?!str$)[\w$[]+/gm),
    ].map(([, name]) => name ?? '');
    expect(promised.length).toBeGreaterThan(60);
    const registry = entriesOf('provider-registry-phase-b');
    expect(promised.filter((name) => !registry.includes(name))).toEqual([]);
  });
});

/** The ids of the provider-management requirements: printed ids, table rows, and counted bullets. */
function managementIds(text: string): string[] {
  return text.split(/^### /m).flatMap((section) => {
    const heading = /^(N?FR-PM-\d+)/.exec(section)?.[1];
    if (heading === undefined) return [];
    if (heading.startsWith('NFR'))
      return [...section.matchAll(/^- /gm)].map((_, n) => `${heading}.${n + 1}`);
    const printed = [...section.matchAll(/\*\*(FR-PM-\d+\.\d+)\*\*/g)].map(([, id]) => id ?? '');
    const rows = [...section.matchAll(/^\| ([^|]+?) \|/gm)]
      .slice(1)
      .map(([, cell]) => `${heading}/${(cell ?? '').toLowerCase().replaceAll(' ', '_')}`);
    return [...printed, ...rows];
  });
}

describe('the governance documents', () => {
  const documents = [
    'docs/governance/checklist.md',
    'docs/governance/assumptions.md',
    'docs/governance/lessons.md',
    'docs/adr/README.md',
  ];
  const rowsOf = (document: string): string[][] =>
    read(document)
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );

  it('link only to files that exist, except in a checklist row that is still open', () => {
    const dangling = documents.flatMap((document) =>
      read(document)
        .split('\n')
        .filter((line) => !/\| Open\s+\|/.test(line))
        .flatMap((line) => [...line.matchAll(/\]\(([^)#]+)[^)]*\)/g)])
        .map(([, target]) => join(dirname(document), target ?? ''))
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${document}: ${target}`),
    );
    expect(dangling).toEqual([]);
  });

  it('give every checklist row the status Checked or Open, with a link', () => {
    const rows = rowsOf('docs/governance/checklist.md').filter(([first]) => first !== 'Item');
    expect(rows.length).toBeGreaterThan(0);
    const sound = (row: string[]) =>
      ['Checked', 'Open'].includes(row.at(-1) ?? '') && row.join(' ').includes('](');
    expect(rows.filter((row) => !sound(row))).toEqual([]);
  });

  it('give every assumption an id of its own, a date and a status', () => {
    const rows = rowsOf('docs/governance/assumptions.md').filter(([first]) => first !== 'Id');
    expect(rows.length).toBeGreaterThan(0);
    const sound = (row: string[]) =>
      /^A-\d+$/.test(row[0] ?? '') &&
      /^\d{4}-\d{2}-\d{2}$/.test(row.at(-2) ?? '') &&
      ['Decided', 'Open', 'Superseded'].includes(row.at(-1) ?? '');
    expect(rows.filter((row) => !sound(row))).toEqual([]);
    expect(new Set(rows.map(([id]) => id)).size).toBe(rows.length);
  });
});
