import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { onTestFinished } from 'vitest';

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

/** Loopback addresses to try: the egress policy leaves no choice of port, and one may be taken. */
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];

/**
 * A trusted TLS server for `agents.example.com` on port 8443 of loopback: where a name that changes
 * its answer would lead. `requests` is what reached it.
 */
export async function startTlsAgent(): Promise<{ address: string; requests: string[] }> {
  const trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, read('./cert.pem')]);
  const requests: string[] = [];
  const server = createServer(
    { key: read('./key.pem'), cert: read('./cert.pem') },
    (req, res) => void (requests.push(req.url ?? ''), res.end('secret')),
  );
  const address = await listenOnAny(server);
  onTestFinished(() => {
    setDefaultCACertificates(trusted);
    server.closeAllConnections();
    server.close();
  });
  return { address, requests };
}

async function listenOnAny(server: Server): Promise<string> {
  for (const address of ADDRESSES) {
    const free = await new Promise<boolean>((done) => {
      server.once('error', () => done(false));
      server.listen(8443, address, () => done(true));
    });
    if (free) return address;
  }
  throw new Error('port 8443 is taken on every loopback address');
}
