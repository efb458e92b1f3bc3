/**
 * Which images there are and what they are called: tables of the one database.
 *
 * Rows are the last thing that a load writes and the first that a removal deletes. So after a crash the files may be
 * more than the rows need, never less.
 *
 * An image is known by its configuration, and may have several manifests: one layer compresses in many ways. Names and
 * signatures belong to manifests.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import type { Database } from '../state/database.ts';
import { type Digest, isDigest } from './digest.ts';
import type { Origin } from './image.ts';

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
  // One image, several manifests; what it was pulled as, what lists it, where it came from.
  `
  CREATE TABLE image_manifests (
    digest TEXT NOT NULL PRIMARY KEY,
    image_id TEXT NOT NULL,
    stored INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX image_manifests_by_image ON image_manifests (image_id, stored);
  INSERT INTO image_manifests (digest, image_id, stored, record)
    SELECT manifest_digest, id, rowid, record FROM image_images;
  CREATE TABLE image_names (
    name TEXT NOT NULL PRIMARY KEY,
    manifest TEXT NOT NULL REFERENCES image_manifests (digest) ON DELETE CASCADE
  ) STRICT;
  INSERT INTO image_names (name, manifest)
    SELECT name, manifest_digest FROM image_tags JOIN image_images ON image_id = id;
  DROP TABLE image_tags;
  DROP TABLE image_images;
  CREATE TABLE image_repo_digests (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL REFERENCES image_manifests (digest) ON DELETE CASCADE,
    PRIMARY KEY (repository, digest)
  ) STRICT;
  CREATE TABLE image_indexes (
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL REFERENCES image_manifests (digest) ON DELETE CASCADE,
    PRIMARY KEY (digest, manifest)
  ) STRICT;
  CREATE TABLE image_origins (
    manifest TEXT NOT NULL REFERENCES image_manifests (digest) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (manifest, kind, reference)
  ) STRICT;
  CREATE TABLE image_attachments (
    subject TEXT NOT NULL,
    digest TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (subject, digest)
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

/** An artifact that is attached to a manifest or an index; its bytes are blobs. */
const AttachmentRecord = z.strictObject({
  subject: digest,
  digest,
  attachedBy: z.enum(['tag', 'referrer']),
  mediaType: z.string(),
  size: z.int(),
  blobs: z.array(z.strictObject({ digest, size: z.int() })),
});
export type AttachmentRecord = z.infer<typeof AttachmentRecord>;

const RepoDigest = z.strictObject({ repository: z.string(), digest });
/** A digest that an image was pulled by, in a canonical repository. */
export type RepoDigest = z.infer<typeof RepoDigest>;

const OriginRow = z.strictObject({
  kind: z.enum(['pull', 'load', 'import', 'commit', 'build']),
  reference: z.string(),
  at: z.string(),
});

const LayerRow = z.strictObject({ implicit: z.int() });

/** An image as it becomes visible. */
export interface NewImage {
  readonly record: ImageRecord;
  /** Canonical, with a tag. */
  readonly names: readonly string[];
  readonly origin: Origin;
  readonly repoDigest?: RepoDigest | undefined;
  /** Digests of indexes that list the manifest. */
  readonly indexes?: readonly Digest[] | undefined;
}

/** What is attached to some digests from now on, instead of what was. */
export interface NewAttachments {
  readonly subjects: readonly Digest[];
  readonly records: readonly AttachmentRecord[];
}

/** @throws A3sError `state-unusable`; nothing is dropped */
function read<T>(schema: z.ZodType<T>, row: unknown): T {
  try {
    return schema.parse(typeof row === 'string' ? JSON.parse(row) : row);
  } catch (cause) {
    throw new A3sError('state-unusable', 'Cannot read the record of an image in state.db', {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}

type Value = string | number;

export class Catalog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores images, what is attached to them, and moves their names to them, all or nothing. */
  add(images: readonly NewImage[], attachments?: NewAttachments): void {
    this.#database.transaction(() => {
      for (const image of images) this.#add(image);
      if (attachments !== undefined) this.attach(attachments);
    })();
  }

  #add({ record, names, origin, repoDigest, indexes }: NewImage): void {
    const manifest = record.manifest.digest;
    this.#run(
      `INSERT INTO image_manifests (digest, image_id, stored, record)
       VALUES (?, ?, (SELECT coalesce(max(stored), 0) + 1 FROM image_manifests), ?)
       ON CONFLICT (digest) DO UPDATE SET stored = excluded.stored, record = excluded.record`,
      manifest,
      record.id,
      JSON.stringify(record),
    );
    for (const name of names) this.name(name, manifest);
    if (repoDigest !== undefined) {
      this.#run(
        `INSERT INTO image_repo_digests (repository, digest, manifest) VALUES (?, ?, ?)
         ON CONFLICT (repository, digest) DO UPDATE SET manifest = excluded.manifest`,
        repoDigest.repository,
        repoDigest.digest,
        manifest,
      );
    }
    for (const index of indexes ?? []) {
      this.#run(
        'INSERT OR IGNORE INTO image_indexes (digest, manifest) VALUES (?, ?)',
        index,
        manifest,
      );
    }
    this.#run(
      'INSERT OR REPLACE INTO image_origins (manifest, kind, reference, at) VALUES (?, ?, ?, ?)',
      manifest,
      origin.kind,
      origin.reference ?? '',
      origin.at,
    );
  }

  /** Gives a manifest a name, or moves the name to it. */
  name(name: string, manifest: Digest): void {
    this.#run(
      `INSERT INTO image_names (name, manifest) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET manifest = excluded.manifest`,
      name,
      manifest,
    );
  }

  /** Replaces, all or nothing, what is attached to the subjects. */
  attach({ subjects, records }: NewAttachments): void {
    this.#database.transaction(() => {
      for (const subject of subjects) {
        this.#run('DELETE FROM image_attachments WHERE subject = ?', subject);
      }
      for (const record of records) {
        this.#run(
          'INSERT OR REPLACE INTO image_attachments (subject, digest, record) VALUES (?, ?, ?)',
          record.subject,
          record.digest,
          JSON.stringify(record),
        );
      }
    })();
  }

  /** One for each image: of the manifest that was stored last. */
  all(): readonly ImageRecord[] {
    return this.#records(
      `SELECT record FROM image_manifests AS it WHERE stored =
         (SELECT max(stored) FROM image_manifests WHERE image_id = it.image_id)
       ORDER BY image_id`,
    );
  }

  /** One for each manifest. */
  manifests(): readonly ImageRecord[] {
    return this.#records('SELECT record FROM image_manifests ORDER BY image_id, stored');
  }

  byId(id: string): ImageRecord | undefined {
    return this.#records(
      'SELECT record FROM image_manifests WHERE image_id = ? ORDER BY stored DESC LIMIT 1',
      id,
    )[0];
  }

  /** By the first digits of its id. */
  byPrefix(digits: string): readonly ImageRecord[] {
    const first = `sha256:${digits}`;
    return this.#records(
      `SELECT record FROM image_manifests AS it WHERE substr(image_id, 1, ?) = ? AND stored =
         (SELECT max(stored) FROM image_manifests WHERE image_id = it.image_id)`,
      first.length,
      first,
    );
  }

  byManifest(manifest: string): ImageRecord | undefined {
    return this.#records('SELECT record FROM image_manifests WHERE digest = ?', manifest)[0];
  }

  /** The manifest of an index that was stored last. */
  byIndex(index: string): ImageRecord | undefined {
    return this.#records(
      `SELECT record FROM image_indexes AS it JOIN image_manifests AS m ON manifest = m.digest
       WHERE it.digest = ? ORDER BY stored DESC LIMIT 1`,
      index,
    )[0];
  }

  byName(name: string): ImageRecord | undefined {
    return this.#records(
      'SELECT record FROM image_names JOIN image_manifests ON manifest = digest WHERE name = ?',
      name,
    )[0];
  }

  byRepoDigest({ repository, digest }: RepoDigest): ImageRecord | undefined {
    return this.#records(
      `SELECT record FROM image_repo_digests AS it JOIN image_manifests AS m ON manifest = m.digest
       WHERE repository = ? AND it.digest = ?`,
      repository,
      digest,
    )[0];
  }

  /** Whether this blob is this layer, and its disk depends on the layers below; undefined where it was never checked. */
  layerDependsOnOthers(diffId: Digest, blob: Digest): boolean | undefined {
    const [row] = this.#all(
      `SELECT layer.value ->> 'implicit' AS implicit
       FROM image_manifests, json_each(record, '$.layers') AS layer
       WHERE layer.value ->> 'blob' = ? AND layer.value ->> 'diffId' = ? LIMIT 1`,
      blob,
      diffId,
    );
    return row === undefined ? undefined : read(LayerRow, row).implicit === 1;
  }

  /** Canonical names of an image, whichever of its manifests they mean; sorted. */
  namesOf(id: string): readonly string[] {
    return this.#column(
      `SELECT name FROM image_names JOIN image_manifests ON manifest = digest
       WHERE image_id = ? ORDER BY name`,
      id,
    );
  }

  /** Canonical names of one manifest; sorted. */
  namesOfManifest(manifest: Digest): readonly string[] {
    return this.#column('SELECT name FROM image_names WHERE manifest = ? ORDER BY name', manifest);
  }

  repoDigestsOf(id: string): readonly RepoDigest[] {
    return this.#all(
      `SELECT repository, it.digest AS digest FROM image_repo_digests AS it
       JOIN image_manifests AS m ON manifest = m.digest WHERE image_id = ? ORDER BY 1, 2`,
      id,
    ).map((row) => read(RepoDigest, row));
  }

  indexesOf(manifest: Digest): readonly Digest[] {
    return this.#column(
      'SELECT digest FROM image_indexes WHERE manifest = ? ORDER BY digest',
      manifest,
    ).filter(isDigest);
  }

  /** Every index that is kept. */
  indexes(): readonly Digest[] {
    return this.#column('SELECT DISTINCT digest FROM image_indexes').filter(isDigest);
  }

  /** Latest first. */
  originsOf(manifest: Digest): readonly Origin[] {
    return this.#all(
      'SELECT kind, reference, at FROM image_origins WHERE manifest = ? ORDER BY at DESC, kind, reference',
      manifest,
    ).map((row) => {
      const { reference, ...origin } = read(OriginRow, row);
      return reference === '' ? origin : { ...origin, reference };
    });
  }

  attachmentsOf(subject: Digest): readonly AttachmentRecord[] {
    return this.#column(
      'SELECT record FROM image_attachments WHERE subject = ? ORDER BY digest',
      subject,
    ).map((row) => read(AttachmentRecord, row));
  }

  attachments(): readonly AttachmentRecord[] {
    return this.#column('SELECT record FROM image_attachments').map((row) =>
      read(AttachmentRecord, row),
    );
  }

  /** Removes names and, where `deleted` is given, the image itself with all that belongs to it: all or nothing. */
  remove(
    names: readonly string[],
    repoDigests: readonly RepoDigest[],
    deleted: string | undefined,
  ): void {
    this.#database.transaction(() => {
      for (const name of names) this.#run('DELETE FROM image_names WHERE name = ?', name);
      for (const { repository, digest } of repoDigests) {
        this.#run(
          'DELETE FROM image_repo_digests WHERE repository = ? AND digest = ?',
          repository,
          digest,
        );
      }
      if (deleted === undefined) return;
      this.#run('DELETE FROM image_manifests WHERE image_id = ?', deleted);
      this.#run(
        `DELETE FROM image_attachments WHERE subject NOT IN
           (SELECT digest FROM image_manifests UNION SELECT digest FROM image_indexes)`,
      );
    })();
  }

  #run(sql: string, ...values: readonly Value[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #all(sql: string, ...values: readonly Value[]): readonly unknown[] {
    return this.#database.prepare(sql).all(...values);
  }

  #column(sql: string, ...values: readonly Value[]): readonly string[] {
    return strings.parse(
      this.#database
        .prepare(sql)
        .pluck()
        .all(...values),
    );
  }

  #records(sql: string, ...values: readonly Value[]): readonly ImageRecord[] {
    return this.#column(sql, ...values).map((row) => read(ImageRecord, row));
  }
}
