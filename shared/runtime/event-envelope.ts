import { sha256Hex } from '../canonical-json.ts';
import type { DomainEvent } from '../store/decision.ts';
import type { PublishedEvent } from './services.ts';

const SOURCE = 'purvey';
const SCHEMA_VERSION = '1.0';

/**
 * An event as it goes on the wire: the envelope, the specification's fields at the top level, and the
 * same fields once more under `data`. Its id follows from document, version and index, so an event
 * that is published twice is recognisably one.
 */
export function envelopeOf(event: DomainEvent, index: number, at: Date): PublishedEvent {
  const identity = `${event.subject}/${event.version}/${index}`;
  return {
    topic: event.topic,
    attributes: { event_type: event.type, subject: event.subject, version: String(event.version) },
    envelope: {
      timestamp: at.toISOString(),
      ...event.fields,
      event_id: `evt_${sha256Hex(`${event.type}/${identity}`).slice(0, 32)}`,
      event_type: event.type,
      schema_version: SCHEMA_VERSION,
      idempotency_key: `${event.type}/${identity}`,
      source: SOURCE,
      subject: event.subject,
      version: event.version,
      data: event.fields,
    },
  };
}
