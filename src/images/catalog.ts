/**
 * Which images there are and what they are called: two tables of the one database.
 *
 * A row is the last thing that a load writes and the first that a removal deletes. So after a crash the files may be
 * more than the rows need, never less.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import type { Database } from '../state/database.ts';
import { type Digest, isDigest } from './digest.ts';

/** To be put into the one list of migrations. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE image_images (
    id TEXT NOT NULL PRIMARY KEY,
    manifest_digest TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE image_tags (
    name TEXT NOT NULL PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES image_images (id)
  ) STRICT;
  `,
];

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const strings = z.array(z.string());

/** What is known of an image without reading its blobs. */
const ImageRecord = z.strictObject({
  /** Digest of the configuration. */
  id: digest,
  manifest: z.strictObject({ digest, size: z.int(), mediaType: z.string() }),
  architecture: z.string(),
  os: z.string(),
  created: z.string(),
  author: z.string(),
  size: z.int(),
  /** Lowest first. */
  layers: z.array(
    z.strictObject({ diffId: digest, blob: digest, size: z.int(), implicit: z.boolean() }),
  ),
  config: z.strictObject({
    entrypoint: strings,
    cmd: strings,
    env: strings,
    workingDir: z.string(),
    user: z.string(),
    labels: z.record(z.string(), z.string()),
    stopSignal: z.string().optional(),
    exposedPorts: strings,
    volumes: strings,
  }),
});
export type ImageRecord = z.infer<typeof ImageRecord>;

/** @throws A3sError `state-unusable`; nothing is dropped */
function read(row: unknown): ImageRecord {
  try {
    return ImageRecord.parse(JSON.parse(z.string().parse(row)));
  } catch (cause) {
    throw new A3sError('state-unusable', 'Cannot read the record of an image in state.db', {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}

export class Catalog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores images and moves their names to them, all or nothing. */
  add(images: readonly { record: ImageRecord; names: readonly string[] }[]): void {
    const putImage = this.#database.prepare(
      `INSERT INTO image_images (id, manifest_digest, record) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET manifest_digest = excluded.manifest_digest, record = excluded.record`,
    );
    const putTag = this.#database.prepare(
      `INSERT INTO image_tags (name, image_id) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id`,
    );
    this.#database.transaction(() => {
      for (const { record, names } of images) {
        putImage.run(record.id, record.manifest.digest, JSON.stringify(record));
        for (const name of names) putTag.run(name, record.id);
      }
    })();
  }

  all(): readonly ImageRecord[] {
    return this.#records('SELECT record FROM image_images ORDER BY id');
  }

  byId(id: string): ImageRecord | undefined {
    return this.#records('SELECT record FROM image_images WHERE id = ?', id)[0];
  }

  /** By the first digits of its id. */
  byPrefix(digits: string): readonly ImageRecord[] {
    const first = `sha256:${digits}`;
    return this.#records(
      'SELECT record FROM image_images WHERE substr(id, 1, ?) = ?',
      first.length,
      first,
    );
  }

  byManifest(manifest: string): readonly ImageRecord[] {
    return this.#records('SELECT record FROM image_images WHERE manifest_digest = ?', manifest);
  }

  byName(name: string): ImageRecord | undefined {
    return this.#records(
      'SELECT record FROM image_images JOIN image_tags ON image_id = id WHERE name = ?',
      name,
    )[0];
  }

  /** Canonical names, sorted. */
  namesOf(id: string): readonly string[] {
    return strings.parse(
      this.#database
        .prepare('SELECT name FROM image_tags WHERE image_id = ? ORDER BY name')
        .pluck()
        .all(id),
    );
  }

  /** Removes names and, where `deleted` is given, the image itself: all or nothing. */
  remove(names: readonly string[], deleted: string | undefined): void {
    this.#database.transaction(() => {
      const untag = this.#database.prepare('DELETE FROM image_tags WHERE name = ?');
      for (const name of names) untag.run(name);
      if (deleted !== undefined) {
        this.#database.prepare('DELETE FROM image_images WHERE id = ?').run(deleted);
      }
    })();
  }

  #records(sql: string, ...values: readonly (string | number)[]): readonly ImageRecord[] {
    const rows = this.#database
      .prepare(sql)
      .pluck()
      .all(...values);
    return rows.map(read);
  }
}
