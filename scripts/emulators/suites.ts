import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Product } from './find.ts';

/** By these the suites learn where the emulators are. Without one, what needs it is skipped. */
export const UNDER_TEST: Record<Product, string> = {
  firestore: 'FIRESTORE_EMULATOR_UNDER_TEST',
  pubsub: 'PUBSUB_EMULATOR_UNDER_TEST',
};

/** Tests this runner, on emulators of its own. */
const OWN_TEST = 'runner.test.ts';

/**
 * Every test file that knows one of the variables, itself or by a module beside it: the differential
 * suites in test/local/emulators, and whichever of our other suites can run on an emulator too.
 */
export function suitesIn(folder: string): string[] {
  const variables = Object.values(UNDER_TEST);
  const knows = (file: string) => {
    const text = readFileSync(file, 'utf8');
    return variables.some((variable) => text.includes(variable));
  };
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== OWN_TEST)
    .map(({ parentPath, name }) => join(parentPath, name));
  const modules = files.filter((file) => !file.endsWith('.test.ts') && knows(file));
  const imports = (file: string) => {
    const text = readFileSync(file, 'utf8');
    return modules.some((module) => text.includes(`/${module.split(/[\\/]/).at(-1)}'`));
  };
  return files.filter((file) => file.endsWith('.test.ts') && (knows(file) || imports(file)));
}
