import { defineConfig } from 'vitest/config';

const at = process.argv.indexOf('--project');
/** The one project that is run, or undefined. */
const asked = at > 0 ? process.argv[at + 1] : undefined;

/** Projects that need more than npm: they run when they are asked for by name. */
const onDemand = [
  {
    test: {
      name: 'browser',
      include: ['test/browser/**/*.test.ts'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
      pool: 'forks' as const,
    },
  },
  {
    test: {
      name: 'emulators',
      // scripts/test-emulators.ts names the files.
      include: ['test/**/*.test.ts'],
      testTimeout: 300_000,
      hookTimeout: 60_000,
      pool: 'forks' as const,
      // The suites share the two emulators.
      fileParallelism: false,
    },
  },
];

export default defineConfig({
  test: {
    reporters: ['default', 'junit'],
    outputFile: { junit: `reports/${asked ?? 'tests'}.xml` },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/shared/**/*.test.ts', 'test/architecture/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: [
            'test/local/**/*.test.ts',
            'test/google/**/*.test.ts',
            'test/runtime/**/*.test.ts',
            'test/functions/**/*.test.ts',
            'test/journeys/**/*.test.ts',
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          pool: 'forks',
          // Loading Google's clients takes longer than most files run; installations share no state.
          isolate: false,
          maxWorkers: 2,
        },
      },
      ...onDemand.filter(({ test }) => test.name === asked),
    ],
  },
});
