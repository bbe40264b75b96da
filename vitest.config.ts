import { defineConfig } from 'vitest/config';

/** `tests`, or the one project that is run. */
function reportName(): string {
  const at = process.argv.indexOf('--project');
  return (at > 0 && process.argv[at + 1]) || 'tests';
}

export default defineConfig({
  test: {
    reporters: ['default', 'junit'],
    outputFile: { junit: `reports/${reportName()}.xml` },
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
        },
      },
    ],
  },
});
