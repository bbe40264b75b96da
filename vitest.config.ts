import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: process.env['CI'] ? ['default', 'junit'] : ['default'],
    outputFile: { junit: `reports/${process.env['PURVEY_REPORT'] ?? 'tests'}.xml` },
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
