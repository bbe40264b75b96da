import type { Duplex } from './grpc.ts';

/** A product's state that can be read anew from the journal; its RPCs always act on the present one. */
export class Reloadable<State extends { close(): void }> {
  readonly #read: () => State;
  #current: State;

  constructor(read: () => State) {
    this.#read = read;
    this.#current = read();
  }

  get current(): State {
    return this.#current;
  }

  /** What is in flight comes to nothing. */
  reload(): void {
    this.#current.close();
    this.#current = this.#read();
  }

  rpc<Request, Response>(
    act: (state: State) => (request: Request) => Response,
  ): (request: Request) => Response {
    return (request) => act(this.#current)(request);
  }

  duplex<Request, Message>(
    act: (state: State) => Duplex<Request, Message>,
  ): Duplex<Request, Message> {
    return (call) => act(this.#current)(call);
  }
}
