import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Meter } from './meter.ts';

/** An answer other than success, as gRPC names it. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  /** gRPC-js sends `details` to the client as the status message. */
  readonly details: string;

  constructor(code: keyof typeof status, message: string) {
    super(message);
    this.code = status[code];
    this.details = message;
  }
}

export type Unary<Request = never, Response = unknown> = (
  request: Request,
) => Response | Promise<Response>;
/** Sends any number of messages; the stream ends when it resolves. */
export type ServerStream<Request = never, Message = unknown> = (
  request: Request,
  send: (message: Message) => void,
) => void | Promise<void>;
/** Owns its call from the first message to the last; a fault refuses the call or, as a crash, ends it. */
export type Duplex<Request = never, Message = unknown> = (
  call: ServerDuplexStream<Request, Message>,
) => void;

/** One product's RPCs by their proto name; what is left out answers UNIMPLEMENTED. */
export interface Service {
  readonly package: string;
  /** Fully qualified service name, e.g. `google.firestore.v1.Firestore`. */
  readonly name: string;
  readonly unary?: Record<string, Unary>;
  readonly serverStream?: Record<string, ServerStream>;
  readonly duplex?: Record<string, Duplex>;
  /** Called once no more calls come. */
  readonly close?: () => void;
}

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

type Definitions = ReturnType<typeof fromJSON>;

/** Reading a package's descriptor takes tens of milliseconds; a test process starts many clouds. */
const definitionsOfPackage = new Map<string, Definitions>();

/** Reads the definitions of all services from the descriptor that Google's own client package ships. */
function definitionsOf(packageName: string): Definitions {
  const known = definitionsOfPackage.get(packageName);
  if (known) return known;
  const main = createRequire(import.meta.url).resolve(packageName);
  let folder = dirname(main);
  while (!folder.endsWith(join('node_modules', packageName))) folder = dirname(folder);
  const json = JSON.parse(readFileSync(join(folder, 'build/protos/protos.json'), 'utf8'));
  const definitions = fromJSON(json, {
    keepCase: false,
    longs: String,
    enums: String,
    defaults: false,
    oneofs: true,
  });
  definitionsOfPackage.set(packageName, definitions);
  return definitions;
}

function definitionOf(service: Service): ServiceDefinition {
  const definition = definitionsOf(service.package)[service.name];
  if (!definition) throw new Error(`${service.package} does not describe ${service.name}`);
  return definition as ServiceDefinition;
}

interface HostParts {
  readonly journal: Journal;
  readonly meter: Meter;
  readonly faults: Faults;
}

/** The calls of a process that died end when it lives again: nothing waits for their answers then. */
const endOfDead = (): never => {
  throw new RpcError('CANCELLED', 'process has crashed');
};

/** Applies the fault rules around one RPC. Returns undefined when the caller must never be answered. */
async function withFaults<T>(
  parts: HostParts,
  rpc: string,
  request: unknown,
  work: () => Promise<T>,
): Promise<{ value: T } | undefined> {
  parts.meter.countRpc(rpc);
  const fault = parts.faults.strike(rpc, request);
  if (fault?.kind === 'fail') throw new RpcError(fault.code, fault.message ?? 'injected fault');
  if (fault?.kind === 'hang') return undefined;
  if (fault?.kind === 'crash-before') return parts.faults.untilRevived().then(endOfDead);
  const value = await work();
  await parts.journal.flushed();
  if (fault?.kind === 'crash') return parts.faults.untilRevived().then(endOfDead);
  if (fault) throw new RpcError(fault.code ?? 'UNAVAILABLE', 'injected: acknowledgement lost');
  return { value };
}

const asRpcError = (error: unknown): RpcError =>
  error instanceof RpcError
    ? error
    : new RpcError('INTERNAL', error instanceof Error ? (error.stack ?? error.message) : 'unknown');

/** Serves every product of one embedded cloud on a single port of the loopback interface. */
export async function serveGrpc(
  services: readonly Service[],
  parts: HostParts,
  port = 0,
): Promise<{ port: number; close: () => void }> {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  });
  for (const service of services) {
    const handlers: Record<string, unknown> = {};
    for (const [rpc, handle] of Object.entries(service.unary ?? {})) {
      handlers[rpc] = (call: ServerUnaryCall<never, unknown>, reply: sendUnaryData<unknown>) => {
        withFaults(parts, rpc, call.request, async () => handle(call.request)).then(
          (answer) => answer && reply(null, answer.value),
          (error: unknown) => reply(asRpcError(error)),
        );
      };
    }
    for (const [rpc, handle] of Object.entries(service.serverStream ?? {})) {
      handlers[rpc] = (call: ServerWritableStream<never, unknown>) => {
        const messages: unknown[] = [];
        withFaults(parts, rpc, call.request, async () =>
          handle(call.request, (message) => void messages.push(message)),
        ).then(
          (answer) => {
            if (!answer) return;
            for (const message of messages) call.write(message);
            call.end();
          },
          (error: unknown) => {
            // Google's clients repeat a stream that fails before its headers, whatever the failure.
            call.sendMetadata(new Metadata());
            call.emit('error', asRpcError(error));
          },
        );
      };
    }
    for (const [rpc, handle] of Object.entries(service.duplex ?? {})) {
      handlers[rpc] = (call: ServerDuplexStream<never, unknown>) => {
        parts.meter.countRpc(rpc);
        const endWith = (code: keyof typeof status, message: string) =>
          call.emit('error', new RpcError(code, message));
        const ended = parts.faults.onCrash(() => endWith('CANCELLED', 'process has crashed'));
        for (const event of ['cancelled', 'finish']) call.once(event, ended);
        const fault = parts.faults.strike(rpc, {});
        if (!fault) handle(call);
        else if ('code' in fault) endWith(fault.code ?? 'UNAVAILABLE', 'injected fault');
      };
    }
    server.addService(definitionOf(service), handlers as never);
  }
  const bound = await new Promise<number>((done, failed) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, actual) =>
      error ? failed(error) : done(actual),
    ),
  );
  return {
    port: bound,
    close() {
      server.forceShutdown();
      for (const service of services) service.close?.();
    },
  };
}
