/**
 * `docker import`: a root filesystem from the request's body becomes an image.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { A3sError } from '../../../errors.ts';
import type { Platform } from '../../../oci/platform.ts';
import { failureOf } from '../../http/failure.ts';
import { failureLine } from './progress-lines.ts';
import { dropUpload } from './refused-upload.ts';
import { nameOf } from './tag.ts';

const change = z.string().max(64 * 1024);

/** Instructions of a Dockerfile, in one parameter or several. */
export const changesQuery = z
  .union([change, z.array(change).max(256)])
  .default([])
  .transform((value) => [value].flat().filter((text) => text !== ''));

/** Parameters of `/images/create` that belong to an import. */
export const importQuery = {
  fromSrc: z.string().max(4096).default(''),
  repo: z.string().max(1024).default(''),
  message: z.string().max(4096).default(''),
  changes: changesQuery,
};

export interface ImportRequest {
  readonly fromSrc: string;
  readonly repo: string;
  readonly tag: string;
  readonly message: string;
  readonly changes: readonly string[];
  /** `OS/ARCHITECTURE`, or empty. */
  readonly platform: string;
}

/** Lines of progress, the last with the new image's id; a failure is a line as well. */
export async function* importArchive(
  rt: Pick<Runtime, 'images' | 'events' | 'log'>,
  tar: AsyncIterable<Uint8Array>,
  request: ImportRequest,
): AsyncGenerator<Uint8Array> {
  try {
    if (request.fromSrc !== '-') throw remoteSource();
    const image = await rt.images.import(tar, {
      name: request.repo === '' ? undefined : nameOf(request.repo, request.tag),
      changes: request.changes,
      message: request.message === '' ? 'Imported from -' : request.message,
      platform: platformOf(request.platform),
      created: new Date().toISOString(),
    });
    rt.events.publish('image', 'import', image.id, { name: image.tags[0] ?? image.id });
    yield line({ status: image.id });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.unexpected) rt.log.error('an image could not be imported', error);
    yield line(failureLine(failure));
    await dropUpload(tar);
  }
}

function remoteSource(): A3sError {
  return new A3sError(
    'unsupported-option',
    'Cannot import from an address: the server fetches nothing',
    {
      remedy: 'Download it, and import the file.',
    },
  );
}

function platformOf(text: string): Platform | undefined {
  if (text === '') return undefined;
  const [os = '', architecture, ...others] = text.split('/');
  if (architecture === undefined || others.length > 1) {
    throw new A3sError(
      'invalid-argument',
      `Cannot read the platform ${JSON.stringify(text.slice(0, 64))}`,
      {
        remedy: 'Write it as linux/amd64.',
      },
    );
  }
  return { os, architecture };
}

function line(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\r\n`);
}
