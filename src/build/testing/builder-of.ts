/**
 * A builder that nobody connects to, and whose content store has what a test puts there.
 *
 * @module
 */
import { writeTar } from '../../images/testing/tar-writer.ts';
import type { Builder } from '../builder.ts';
import { failed } from '../relay/upgrade.ts';

/** What an agent sends of a blob. */
export function blobArchive(content: Uint8Array): Buffer {
  return writeTar([{ path: 'blob', data: content }]);
}

/** @param asked gets each digest that is read */
export function builderOf(
  blobs: ReadonlyMap<string, Uint8Array> = new Map(),
  asked: string[] = [],
): Builder {
  const unused = (): never => {
    throw new Error('this builder has a content store alone');
  };
  return {
    ...{
      name: 'default',
      authority: { certificate: '', privateKey: '' },
      image: 'image',
      cacheDisk: 'disk',
      keptBytes: 1000,
    },
    ...{ dial: unused, serveProxy: unused, serveStepProxy: unused, stepProxy: '' },
    blobArchive: async (digest) => {
      asked.push(digest);
      const content = blobs.get(digest);
      if (content === undefined) throw failed(`it does not have the blob ${digest}`);
      return (async function* () {
        yield blobArchive(content);
      })();
    },
  };
}
