import { describe, expect, it } from 'vitest';

import type {
  ExecutionRequest,
  ProviderCall,
  ProviderTarget,
} from '../../../shared/execution/call.ts';
import { type ProviderError, providerErrorOf } from '../../../shared/execution/errors.ts';
import type { Execution } from '../../../shared/execution/execution.ts';
import { ProviderBase } from '../../../shared/execution/provider-base.ts';
import type { ProviderExecutionResult } from '../../../shared/execution/result.ts';
import { openBench, settingsWith } from './support/scripted.ts';

type Asked = readonly [target: ProviderTarget<number, string>, request: ExecutionRequest<number>];

/** Runs nothing: it keeps what it was asked to run. */
function recorded() {
  const asked: Asked[] = [];
  const result = { status: 'succeeded', value: 'ok' } as ProviderExecutionResult<never>;
  const execution = {
    run: (...given: Asked) => {
      asked.push(given);
      return Promise.resolve(result);
    },
  } as unknown as Execution;
  return { asked, execution, result };
}

class Doubling extends ProviderBase<number, string> {
  readonly providerName = 'doubling';
  readonly capability = 'arithmetic';

  protected async executeImpl({ payload }: ProviderCall<number>): Promise<string> {
    return `${2 * payload} from ${this.providerName}`;
  }
}

class Peculiar extends Doubling {
  protected override errorOf(thrown: unknown): ProviderError {
    return thrown === 'E42'
      ? providerErrorOf('auth_failed', 'E42 means that the key has expired')
      : super.errorOf(thrown);
  }

  protected override async executeImpl({ payload }: ProviderCall<number>): Promise<string> {
    throw payload === 42 ? 'E42' : new DOMException('late', 'TimeoutError');
  }
}

const request: ExecutionRequest<number> = {
  tenantId: 'acme',
  campaignId: null,
  operation: 'double',
  payload: 21,
  context: { correlationId: 'c' },
};

describe('a provider', () => {
  it('hands its calls to the execution layer as they are, and returns its result', async () => {
    const { asked, execution, result } = recorded();
    expect(await new Doubling(execution).execute(request)).toBe(result);
    expect(asked[0]?.[1]).toBe(request);
  });

  it('is known there by its name and capability, and by how it makes one attempt', async () => {
    const { asked, execution } = recorded();
    await new Doubling(execution).execute(request);
    const target = asked[0]?.[0];
    expect(target).toMatchObject({ providerName: 'doubling', capability: 'arithmetic' });
    expect(await target?.invoke({ payload: 21 } as ProviderCall<number>)).toBe('42 from doubling');
  });

  it('is one target for all its calls, by which the layer knows it again', async () => {
    const { asked, execution } = recorded();
    const provider = new Doubling(execution);
    await provider.execute(request);
    await provider.execute({ ...request, tenantId: 'globex' });
    expect(asked[0]?.[0]).toBe(asked[1]?.[0]);
    await new Doubling(execution).execute(request);
    expect(asked[2]?.[0]).not.toBe(asked[0]?.[0]);
  });

  it('maps what it throws by the common table, and by its own where it has one', async () => {
    const { asked, execution } = recorded();
    await new Doubling(execution).execute(request);
    await new Peculiar(execution).execute(request);
    const [common, own] = asked.map(([target]) => target);
    expect(common?.errorOf('E42').reasonCode).toBe('internal_error');
    expect(own?.errorOf('E42').reasonCode).toBe('auth_failed');
    expect(own?.errorOf(new DOMException('late', 'TimeoutError')).reasonCode).toBe('timeout');
  });

  it('has what it throws told by its result, which is all that its caller sees', async () => {
    const bench = openBench(settingsWith({ retry: { max_attempts: 1 } }));
    const provider = new Peculiar(bench.instance());
    expect(await provider.execute({ ...request, payload: 42 })).toMatchObject({
      status: 'failed',
      failure: {
        reasonCode: 'auth_failed',
        errorType: 'ProviderAuthError',
        message: 'E42 means that the key has expired',
      },
    });
    expect(await provider.execute(request)).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'timeout' },
    });
  });

  it('whose own table fails is a fault of ours, and still a result', async () => {
    class Broken extends Peculiar {
      protected override errorOf(): ProviderError {
        throw new TypeError('the table has a hole');
      }
    }
    const bench = openBench(settingsWith({ retry: { max_attempts: 1 } }));
    expect(await new Broken(bench.instance()).execute(request)).toMatchObject({
      status: 'failed',
      failure: { reasonCode: 'internal_error' },
    });
  });
});
