import { describe, expect, it } from 'vitest';

import { envelopeOf } from '../../shared/runtime/event-envelope.ts';
import type { DomainEvent } from '../../shared/store/decision.ts';

const at = new Date('2026-01-15T10:00:00.000Z');
const event: DomainEvent = {
  topic: 'aex-provider-events',
  type: 'provider.registered',
  subject: 'prov_1',
  version: 3,
  fields: { provider_id: 'prov_1', capabilities: ['travel'] },
};
const idOf = (changes: Partial<DomainEvent> = {}, index = 0, when = at) =>
  envelopeOf({ ...event, ...changes }, index, when).envelope['event_id'];

describe('an event on the wire', () => {
  it('carries the envelope, its fields at the top, and the same fields under data', () => {
    expect(envelopeOf(event, 0, at)).toEqual({
      topic: 'aex-provider-events',
      attributes: { event_type: 'provider.registered', subject: 'prov_1', version: '3' },
      envelope: {
        event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
        event_type: 'provider.registered',
        schema_version: '1.0',
        idempotency_key: 'provider.registered/prov_1/3/0',
        timestamp: '2026-01-15T10:00:00.000Z',
        source: 'purvey',
        subject: 'prov_1',
        version: 3,
        provider_id: 'prov_1',
        capabilities: ['travel'],
        data: { provider_id: 'prov_1', capabilities: ['travel'] },
      },
    });
  });

  it('has one id however often and whenever it is published', () => {
    expect(idOf({}, 0, new Date('2026-02-01T00:00:00.000Z'))).toBe(idOf());
    expect(idOf({ fields: {} })).toBe(idOf());
  });

  it('has another id for another document, version, type or place in its commit', () => {
    const ids = [
      idOf(),
      idOf({ subject: 'prov_2' }),
      idOf({ version: 4 }),
      idOf({ type: 'provider.verified' }),
      idOf({}, 1),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('keeps its envelope when a field has the same name', () => {
    const fields = { event_id: 'mine', event_type: 'mine', source: 'mine', schema_version: 'mine' };
    const { envelope } = envelopeOf({ ...event, fields }, 0, at);
    expect(envelope).toMatchObject({
      event_id: idOf(),
      event_type: 'provider.registered',
      source: 'purvey',
      schema_version: '1.0',
      data: fields,
    });
  });

  it('lets a specification state its own timestamp', () => {
    const timestamp = '2026-01-14T00:00:00Z';
    expect(envelopeOf({ ...event, fields: { timestamp } }, 0, at).envelope).toMatchObject({
      timestamp,
    });
  });
});
