import { describe, expect, it } from 'vitest';

import { AppError } from '../../shared/errors.ts';
import { authorize } from '../../shared/runtime/authorize.ts';
import type { Caller } from '../../shared/runtime/caller.ts';
import type { HttpFunction } from '../../shared/runtime/manifest.ts';

type Callers = HttpFunction['callers'];

const someone: Caller = { kind: 'public', address: '203.0.113.9' };
const provider: Caller = { kind: 'provider', providerId: 'prov_1', keyId: 'key_1' };
const buyer: Caller = { kind: 'org', orgSlug: 'acme', keyId: 'key_2', scopes: ['rfqs:read'] };
const operator: Caller = { kind: 'operator' };
const service: Caller = { kind: 'service', email: 'tasks@p.iam.gserviceaccount.com' };

function verdict(caller: Caller, callers: Callers, params: Record<string, string> = {}): string {
  try {
    authorize(caller, { callers }, params);
    return 'ok';
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

function messageOf(caller: Caller, callers: Callers): string {
  try {
    authorize(caller, { callers }, {});
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

describe('who may use a route', () => {
  const everyone = { someone, provider, buyer, operator, service };
  const table: [Callers, Record<keyof typeof everyone, string>][] = [
    [['public'], { someone: 'ok', provider: 'ok', buyer: 'ok', operator: 'ok', service: 'ok' }],
    [
      ['provider'],
      {
        someone: 'unauthenticated',
        provider: 'ok',
        buyer: 'forbidden',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
    [
      ['service'],
      {
        someone: 'unauthenticated',
        provider: 'forbidden',
        buyer: 'forbidden',
        operator: 'ok',
        service: 'ok',
      },
    ],
    [
      ['operator'],
      {
        someone: 'unauthenticated',
        provider: 'forbidden',
        buyer: 'forbidden',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
    [
      [],
      {
        someone: 'unauthenticated',
        provider: 'forbidden',
        buyer: 'forbidden',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
    [
      ['org:rfqs:read'],
      {
        someone: 'unauthenticated',
        provider: 'forbidden',
        buyer: 'ok',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
    [
      ['org:rfqs:write'],
      {
        someone: 'unauthenticated',
        provider: 'forbidden',
        buyer: 'forbidden',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
    [
      ['provider', 'org:rfqs:write', 'org:rfqs:read'],
      {
        someone: 'unauthenticated',
        provider: 'ok',
        buyer: 'ok',
        operator: 'ok',
        service: 'forbidden',
      },
    ],
  ];

  it.each(table)('with callers %j', (callers, expected) => {
    const verdicts = Object.fromEntries(
      Object.entries(everyone).map(([name, caller]) => [name, verdict(caller, callers)]),
    );
    expect(verdicts).toEqual(expected);
  });
});

describe('whose resource it is', () => {
  it("a provider reaches its own, and another's is as if absent", () => {
    expect(verdict(provider, ['provider'], { provider_id: 'prov_1' })).toBe('ok');
    expect(verdict(provider, ['provider'], { provider_id: 'prov_2' })).toBe('not_found');
    expect(verdict(provider, ['provider'], { rfq_id: 'rfq_1' })).toBe('ok');
  });

  it("an organisation reaches its own, and another's is as if absent, whatever its scopes", () => {
    expect(verdict(buyer, ['org:rfqs:read'], { org: 'acme' })).toBe('ok');
    expect(verdict(buyer, ['org:rfqs:read'], { org: 'other' })).toBe('not_found');
    expect(verdict(buyer, ['org:keys:write'], { org: 'other' })).toBe('not_found');
    expect(verdict(buyer, ['org:keys:write'], { org: 'acme' })).toBe('forbidden');
  });

  it('the operator reaches everything', () => {
    expect(verdict(operator, ['provider'], { provider_id: 'prov_2' })).toBe('ok');
    expect(verdict(operator, ['org:keys:write'], { org: 'other' })).toBe('ok');
  });
});

describe('a refusal', () => {
  it('names every proof that would do', () => {
    const message = messageOf(someone, ['provider', 'org:rfqs:read', 'service']);
    expect(message).toContain("a provider's key (Authorization: Bearer aex_pk_live_…)");
    expect(message).toContain("an organisation's key with the scope rfqs:read");
    expect(message).toContain('the OIDC identity of an allowed service account');
    expect(message).toContain('the operator key (X-Operator-Key)');
  });

  it('names the operator once where only the operator may', () => {
    expect(messageOf(provider, ['operator'])).toBe(
      'This endpoint needs the operator key (X-Operator-Key).',
    );
  });

  it('names the scope that a key lacks', () => {
    expect(messageOf(buyer, ['org:rfqs:write'])).toBe('This key lacks the scope rfqs:write.');
  });
});
