/** A process of its own with an embedded cloud, to be killed. Prints its port. */
import { writeSync } from 'node:fs';

import { startCloud } from '../../../local/cloud.ts';

const cloud = await startCloud({ project: 'purvey-test', file: process.argv[2] ?? '' });
writeSync(1, `${cloud.port}\n`);
