import { type Socket, connect, createServer } from 'node:net';

import type { FaultRule } from '../../../local/kernel/faults.ts';
import { createServices } from '../../../shared/google/services.ts';
import type { Services } from '../../../shared/runtime/services.ts';
import type { Ground } from './ground.ts';

/**
 * Runs `work` in an instance whose process ends at `rule`: as `crash`, after that call was applied; as
 * `crash-before`, before. Its connections are cut for good, so that nothing of it comes later.
 */
export async function crashAt(
  ground: Ground,
  rule: Omit<FaultRule, 'action'>,
  kind: 'crash' | 'crash-before',
  work: (dying: Services) => Promise<unknown>,
): Promise<void> {
  const line = await openLine(ground.cloud.port);
  const dying = createServices(
    { ...ground.config, cloud_endpoint: `127.0.0.1:${line.port}` },
    { clock: ground.clock },
  );
  const dead = new Promise<void>((done) => void ground.cloud.faults.onCrash(done));
  ground.cloud.faults.inject({ ...rule, action: { kind } });
  // Nobody is left to hear what becomes of it.
  work(dying).catch(() => undefined);
  await dead;
  line.cut();
  ground.cloud.faults.revive();
}

/** A way to the cloud that can be cut. */
async function openLine(port: number): Promise<{ port: number; cut: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
