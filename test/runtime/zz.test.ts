import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { it } from 'vitest';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { shimNextServer } from '../../shared/runtime/request-shim.ts';
import { listen } from './support/http-server.ts';
http('echo2', (_req, res) => void res.json({}));
it('stress', async () => {
  shimNextServer();
  const url = await listen(getTestServer('echo2'));
  for (const size of [1048577, 3_000_000, 10_000_000, 50_000_000]) for (const chunked of [false, true]) {
    const counts: Record<string, number> = {};
    for (let i = 0; i < 40; i++) {
      let r: string;
      try {
        const body = Buffer.alloc(size, 'x');
        const res = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: chunked ? new Blob([body]).stream() : body, ...(chunked && {duplex: 'half'}) } as never);
        r = String(res.status); await res.text();
      } catch (e) { r = String((e as any).cause?.code ?? e); }
      counts[r] = (counts[r] ?? 0) + 1;
    }
    console.log('fetch', size, chunked, counts);
    writeFileSync('/tmp/x/body', Buffer.alloc(size, 'x'));
    const c2: Record<string, number> = {};
    for (let i = 0; i < 15; i++) {
      const r = await promisify(execFile)('curl', ['-s', '-o', '/tmp/x/out', '-w', '%{http_code}', '-H', 'content-type: application/json', ...(chunked ? ['-H', 'Transfer-Encoding: chunked'] : []), '--data-binary', '@/tmp/x/body', url]).then((x) => x.stdout, (e) => `exit ${e.code} ${e.stdout}`);
      c2[r] = (c2[r] ?? 0) + 1;
    }
    console.log('curl', size, chunked, c2);
  }
}, 120000);
