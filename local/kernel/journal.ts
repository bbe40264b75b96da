import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deserialize, serialize } from 'node:v8';

/** One product's durable key-value table. Values are anything the structured-clone algorithm takes. */
export interface Table<Value> {
  load(): [key: string, value: Value][];
  put(key: string, value: Value): void;
  delete(key: string): void;
}

/** A value as it lies in the file. */
export interface Entry {
  readonly table: string;
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * The embedded cloud's one SQLite file. Products keep their state in memory and write every change
 * through here; `flushed()` resolves once all changes made so far are committed, and an RPC is
 * acknowledged only then. All changes of one event-loop turn share a commit.
 *
 * Durable against a killed process, not against power loss (WAL, `synchronous=NORMAL`).
 */
export class Journal {
  readonly #db: DatabaseSync;
  #changes: (() => void)[] = [];
  #commit: Promise<void> | undefined;

  /** @param file path of the database, or `:memory:`. A file is locked for this process alone. */
  constructor(file: string) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
    this.#db = new DatabaseSync(file);
    this.#db.exec(
      'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;',
    );
    this.#db.exec(
      'CREATE TABLE IF NOT EXISTS entries (tbl TEXT, key TEXT, value BLOB, PRIMARY KEY (tbl, key)) WITHOUT ROWID',
    );
  }

  table<Value>(name: string): Table<Value> {
    const select = this.#db.prepare('SELECT key, value FROM entries WHERE tbl = ?');
    const upsert = this.#db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?)');
    const remove = this.#db.prepare('DELETE FROM entries WHERE tbl = ? AND key = ?');
    return {
      load: () =>
        select
          .all(name)
          .map((row) => [String(row['key']), deserialize(row['value'] as Uint8Array) as Value]),
      put: (key, value) => {
        const bytes = serialize(value);
        this.#enqueue(() => void upsert.run(name, key, bytes));
      },
      delete: (key) => this.#enqueue(() => void remove.run(name, key)),
    };
  }

  /** Forgets everything. Only before any table is loaded. */
  clear(): void {
    this.#db.exec('DELETE FROM entries; VACUUM');
  }

  /** Resolves when every change made before this call is on disk. */
  flushed(): Promise<void> {
    return this.#commit ?? Promise.resolve();
  }

  /** Everything in the tables that `isChosen` names, changes not yet committed included. */
  dump(isChosen: (table: string) => boolean): Entry[] {
    this.#write();
    return this.#db
      .prepare('SELECT tbl, key, value FROM entries')
      .all()
      .map((row) => ({
        table: String(row['tbl']),
        key: String(row['key']),
        value: row['value'] as Uint8Array,
      }))
      .filter(({ table }) => isChosen(table));
  }

  /** Has the tables that `isChosen` names hold these entries and nothing else. */
  replace(isChosen: (table: string) => boolean, entries: readonly Entry[]): void {
    const remove = this.#db.prepare('DELETE FROM entries WHERE tbl = ?');
    const insert = this.#db.prepare('INSERT INTO entries VALUES (?, ?, ?)');
    const tables = this.#db.prepare('SELECT DISTINCT tbl FROM entries');
    this.#enqueue(() => {
      for (const row of tables.all())
        if (isChosen(String(row['tbl']))) remove.run(String(row['tbl']));
      for (const { table, key, value } of entries) insert.run(table, key, value);
    });
    this.#write();
  }

  close(): void {
    this.#write();
    this.#db.close();
  }

  #enqueue(change: () => void): void {
    this.#changes.push(change);
    this.#commit ??= new Promise((done, failed) => {
      setImmediate(() => {
        this.#commit = undefined;
        try {
          this.#write();
          done();
        } catch (error) {
          failed(error);
        }
      });
    });
  }

  #write(): void {
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.#db.exec('BEGIN');
    try {
      for (const change of changes) change();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
