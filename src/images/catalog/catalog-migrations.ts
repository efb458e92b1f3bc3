/**
 * The catalog's tables, in the order in which they grew.
 *
 * @module
 */
/** The caller adds them to the one list of migrations, whose order cannot change. */
export const firstMigrations: readonly string[] = [
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
  // One image with several manifests; the digests that it was pulled by, the indexes that list it,
  // and its origins.
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

/** In that list they follow what other records needed meanwhile. */
export const laterMigrations: readonly string[] = [
  // The image that another one was made of here.
  "ALTER TABLE image_origins ADD COLUMN parent TEXT NOT NULL DEFAULT ''",
  // The images that a build used.
  "ALTER TABLE image_origins ADD COLUMN bases TEXT NOT NULL DEFAULT '[]'",
];

/** Of a database that holds images alone. */
export const migrations: readonly string[] = [...firstMigrations, ...laterMigrations];
