/**
 * An image as the rest of the runtime sees it.
 *
 * @module
 */

import { familiarName, familiarRepository, parseReference } from '../../oci/reference.ts';
import type { Image } from '../image.ts';
import type { Catalog, ImageRecord } from './catalog.ts';

export function viewOf(record: ImageRecord, catalog: Catalog): Image {
  const { stopSignal, ...config } = record.config;
  const { digest } = record.manifest;
  return {
    id: record.id,
    manifestDigest: digest,
    repoDigests: catalog.repoDigestsOf(record.id).map(familiarDigest),
    indexDigests: catalog.indexesOf(digest),
    origins: catalog.originsOf(digest),
    tags: catalog.namesOf(record.id).map(familiar),
    architecture: record.architecture,
    os: record.os,
    created: record.created,
    author: record.author,
    size: record.size,
    diffIds: record.layers.map(({ diffId }) => diffId),
    config: { ...config, stopSignal },
  };
}

/** A canonical name as people write it. */
export function familiar(canonical: string): string {
  return familiarName(parseReference(canonical));
}

/** `redis@sha256:…` */
export function familiarDigest({
  repository,
  digest,
}: {
  readonly repository: string;
  readonly digest: string;
}): string {
  return `${familiarRepository(parseReference(repository))}@${digest}`;
}
