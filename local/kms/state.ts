import { randomBytes } from 'node:crypto';

import { Alarm } from '../kernel/alarm.ts';
import type { Clock } from '../kernel/clock.ts';
import { RpcError } from '../kernel/grpc.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Meter } from '../kernel/meter.ts';
import type { Key, KeyVersion } from './key.ts';

export interface KeyRing {
  readonly name: string;
  readonly createMs: number;
}

export interface StateParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly meter: Meter;
}

const AES_256_KEY_BYTES = 32;

const notFound = (kind: string, name: string | null | undefined) =>
  new RpcError('NOT_FOUND', `${kind} ${name ?? ''} not found.`);

/** All key rings and keys, and what happens to them by time: rotation and destruction. */
export class KmsState {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly #rings: Map<string, KeyRing>;
  readonly #keys: Map<string, Key>;
  readonly #tables;
  readonly #alarm: Alarm;

  constructor({ clock, journal, meter }: StateParts) {
    this.clock = clock;
    this.meter = meter;
    this.#tables = {
      rings: journal.table<KeyRing>('kms.rings'),
      keys: journal.table<Key>('kms.keys'),
    };
    this.#rings = new Map(this.#tables.rings.load());
    this.#keys = new Map(this.#tables.keys.load());
    this.#alarm = new Alarm(clock, () => this.#tick());
    this.#tick();
  }

  get rings(): ReadonlyMap<string, KeyRing> {
    return this.#rings;
  }

  get keys(): ReadonlyMap<string, Key> {
    return this.#keys;
  }

  /** A rotation or destruction is due at this moment. */
  get isBusy(): boolean {
    return this.#alarm.isDue;
  }

  ring(name: string | null | undefined): KeyRing {
    const ring = this.#rings.get(name ?? '');
    if (!ring) throw notFound('KeyRing', name);
    return ring;
  }

  key(name: string | null | undefined): Key {
    const key = this.#keys.get(name ?? '');
    if (!key) throw notFound('CryptoKey', name);
    return key;
  }

  version(name: string | null | undefined): { key: Key; version: KeyVersion } {
    const [keyName, number] = (name ?? '').split('/cryptoKeyVersions/');
    const key = this.key(keyName);
    const version = key.versions.find((each) => each.number === Number(number));
    if (!version) throw notFound('CryptoKeyVersion', name);
    return { key, version };
  }

  keepRing(ring: KeyRing): void {
    this.#rings.set(ring.name, ring);
    this.#tables.rings.put(ring.name, ring);
  }

  /** Writes the key after any change of it or its versions. */
  keep(key: Key): void {
    this.#keys.set(key.name, key);
    this.#tables.keys.put(key.name, key);
    this.#setAlarm();
  }

  addVersion(key: Key): KeyVersion {
    const version: KeyVersion = {
      number: key.versions.length + 1,
      createMs: this.clock.nowMs(),
      state: 'ENABLED',
      material: randomBytes(AES_256_KEY_BYTES),
    };
    key.versions.push(version);
    return version;
  }

  close(): void {
    this.#alarm.set(undefined);
  }

  #tick(): void {
    const nowMs = this.clock.nowMs();
    for (const key of this.#keys.values())
      if (this.#rotate(key, nowMs) || this.#destroy(key, nowMs)) this.keep(key);
    this.#setAlarm();
  }

  #rotate(key: Key, nowMs: number): boolean {
    if (key.nextRotationMs === undefined || key.nextRotationMs > nowMs) return false;
    key.primary = this.addVersion(key).number;
    if (key.rotationMs === undefined) delete key.nextRotationMs;
    // One new version, however many periods passed while nothing ran.
    else while (key.nextRotationMs <= nowMs) key.nextRotationMs += key.rotationMs;
    return true;
  }

  #destroy(key: Key, nowMs: number): boolean {
    const due = key.versions.filter(
      ({ state, destroyMs = Infinity }) => state === 'DESTROY_SCHEDULED' && destroyMs <= nowMs,
    );
    for (const version of due) {
      version.state = 'DESTROYED';
      version.material = new Uint8Array();
    }
    return due.length > 0;
  }

  #setAlarm(): void {
    const times = [...this.#keys.values()].flatMap((key) => [
      key.nextRotationMs ?? Infinity,
      ...key.versions.map((version) =>
        version.state === 'DESTROY_SCHEDULED' ? (version.destroyMs ?? Infinity) : Infinity,
      ),
    ]);
    const nextMs = Math.min(...times);
    this.#alarm.set(nextMs === Infinity ? undefined : nextMs);
  }
}
