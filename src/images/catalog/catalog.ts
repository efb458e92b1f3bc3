/**
 * Which images there are and what they are called: tables of the one database.
 *
 * Rows are the last thing that a load writes and the first that a removal deletes. So after a crash
 * the files may be more than the rows need, never less.
 *
 * An image is known by its configuration, and may have several manifests: one layer compresses in
 * many ways. Names and signatures belong to manifests.
 *
 * @module
 */
import * as z from 'zod';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Database } from '../../state/database.ts';
import { withReserve } from '../../state/reserve.ts';
import type { Origin } from '../image.ts';
import {
  AttachmentRecord,
  BaseImageRecords,
  ImageRecord,
  LayerRow,
  type NewAttachments,
  type NewImage,
  OriginRow,
  RepoDigest,
  readRow,
} from './catalog-records.ts';

export type {
  AttachmentRecord,
  ImageRecord,
  NewAttachments,
  RepoDigest,
} from './catalog-records.ts';

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
    if (repoDigest !== undefined) this.addRepoDigest(repoDigest, manifest);
    for (const index of indexes ?? []) {
      this.#run(
        'INSERT OR IGNORE INTO image_indexes (digest, manifest) VALUES (?, ?)',
        index,
        manifest,
      );
    }
    this.#run(
      'INSERT OR REPLACE INTO image_origins (manifest, kind, reference, at, parent, bases) VALUES (?, ?, ?, ?, ?, ?)',
      manifest,
      origin.kind,
      origin.reference ?? '',
      origin.at,
      origin.parent ?? '',
      JSON.stringify(origin.bases ?? []),
    );
  }

  /** Records what a repository has of the image: the manifest, or an index that lists it. */
  addRepoDigest({ repository, digest }: RepoDigest, manifest: Digest): void {
    this.#run(
      `INSERT INTO image_repo_digests (repository, digest, manifest) VALUES (?, ?, ?)
       ON CONFLICT (repository, digest) DO UPDATE SET manifest = excluded.manifest`,
      repository,
      digest,
      manifest,
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

  /**
   * Whether this blob is this layer, and its disk depends on the layers below; undefined where it
   * was never checked.
   */
  layerDependsOnOthers(diffId: Digest, blob: Digest): boolean | undefined {
    const [row] = this.#all(
      `SELECT layer.value ->> 'implicit' AS implicit
       FROM image_manifests, json_each(record, '$.layers') AS layer
       WHERE layer.value ->> 'blob' = ? AND layer.value ->> 'diffId' = ? LIMIT 1`,
      blob,
      diffId,
    );
    return row === undefined ? undefined : readRow(LayerRow, row).implicit === 1;
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
    ).map((row) => readRow(RepoDigest, row));
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
      'SELECT kind, reference, at, parent, bases FROM image_origins WHERE manifest = ? ORDER BY at DESC, kind, reference',
      manifest,
    ).map((row) => {
      const { reference, parent, bases: text, ...origin } = readRow(OriginRow, row);
      const bases = readRow(BaseImageRecords, text);
      return {
        ...origin,
        ...(reference === '' ? {} : { reference }),
        ...(parent === '' ? {} : { parent }),
        ...(bases.length === 0 ? {} : { bases }),
      };
    });
  }

  attachmentsOf(subject: Digest): readonly AttachmentRecord[] {
    return this.#column(
      'SELECT record FROM image_attachments WHERE subject = ? ORDER BY digest',
      subject,
    ).map((row) => readRow(AttachmentRecord, row));
  }

  attachments(): readonly AttachmentRecord[] {
    return this.#column('SELECT record FROM image_attachments').map((row) =>
      readRow(AttachmentRecord, row),
    );
  }

  /**
   * Removes names and, where `deleted` is given, the image itself with all that belongs to it: all
   * or nothing.
   */
  remove(
    names: readonly string[],
    repoDigests: readonly RepoDigest[],
    deleted: string | undefined,
  ): void {
    const remove = this.#database.transaction(() => {
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
    });
    withReserve(this.#database, remove);
  }

  /**
   * Removes the invalid names and repositories, and returns them. Their images remain under their
   * ids.
   */
  keepNames(isName: (text: string) => boolean): readonly string[] {
    const all = this.#column('SELECT name FROM image_names');
    const names = all.filter((name) => !isName(name));
    const digests = this.#all('SELECT repository, digest FROM image_repo_digests').map((row) =>
      readRow(RepoDigest, row),
    );
    const foreign = digests.filter(({ repository }) => !isName(repository));
    this.remove(names, foreign, undefined);
    return [...names, ...foreign.map(({ repository, digest }) => `${repository}@${digest}`)];
  }

  #run(sql: string, ...values: readonly Value[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #all(sql: string, ...values: readonly Value[]): readonly unknown[] {
    return this.#database.prepare(sql).all(...values);
  }

  #column(sql: string, ...values: readonly Value[]): readonly string[] {
    return z.array(z.string()).parse(
      this.#database
        .prepare(sql)
        .pluck()
        .all(...values),
    );
  }

  #records(sql: string, ...values: readonly Value[]): readonly ImageRecord[] {
    return this.#column(sql, ...values).map((row) => readRow(ImageRecord, row));
  }
}
