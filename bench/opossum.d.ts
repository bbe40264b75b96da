/** As far as the benchmark uses it: the package brings no types. */
declare module 'opossum' {
  export default class CircuitBreaker<Value> {
    constructor(
      action: () => Promise<Value>,
      options?: { readonly timeout?: number; readonly resetTimeout?: number },
    );
    readonly opened: boolean;
    fire(): Promise<Value>;
    shutdown(): void;
  }
}
