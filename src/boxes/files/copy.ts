/**
 * Copies files of a box, as `docker cp` does: archives in both directions, and what a path names.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { FileChange, FileStat, WriteFiles } from '../../guest/protocol.ts';
import type { Box } from '../record/box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { expandArchive } from './expand-archive.ts';
import { type FilesGuest, type FilesHost, filesGuest } from './files-guest.ts';

/** What copies need of the server. */
export type CopyHost = FilesHost & Pick<Services, 'events'>;

const WHAT = 'copy files of';

/** @throws A3sError `no-such-file`, `invalid-argument`, `host-not-permitted` */
export async function statFile(
  rt: CopyHost,
  box: Box,
  path: string,
  client: AbortSignal,
): Promise<FileStat> {
  const { guest, signal, release } = await filesGuest(rt, box, WHAT, client);
  try {
    return await guest.files.stat(path, signal);
  } catch (error) {
    throw named(error, box, path);
  } finally {
    await release();
  }
}

/**
 * What a path names, and its archive. The guest is released at the end of the archive, which the
 * caller reads or ends.
 *
 * @throws A3sError `no-such-file`, `invalid-argument`, `host-not-permitted`
 */
export async function readFiles(
  rt: CopyHost,
  box: Box,
  path: string,
  client: AbortSignal,
): Promise<{ stat: FileStat; archive: AsyncGenerator<Uint8Array, void, void> }> {
  const files = await filesGuest(rt, box, WHAT, client);
  try {
    const { stat, archive } = await files.guest.files.read(path, files.signal);
    publish(rt, box, 'archive-path');
    return { stat, archive: ending(archive, files) };
  } catch (error) {
    await files.release();
    throw named(error, box, path);
  }
}

function ending(
  archive: AsyncGenerator<Uint8Array, void, void>,
  { signal, moving, release }: FilesGuest,
): AsyncGenerator<Uint8Array, void, void> {
  signal.throwIfAborted();
  // A client that is gone, or reads nothing, requests nothing more. A failure of the release is in
  // the log.
  signal.addEventListener('abort', () => void release().catch(() => undefined), { once: true });
  return (async function* () {
    try {
      yield* moving(archive, 'guest');
    } finally {
      await release();
    }
  })();
}

/**
 * Extracts an archive into a directory of the box.
 *
 * @param archive plain, or compressed with gzip, bzip2, xz or zstd
 * @throws A3sError `no-such-file`, `invalid-argument`, `read-only-files`, `box-disk-full`,
 * `host-not-permitted`, `tool-missing`; `agent-failed` where the files may be lost
 */
export async function writeFiles(
  rt: CopyHost,
  box: Box,
  request: WriteFiles,
  archive: AsyncIterable<Uint8Array>,
  client: AbortSignal,
): Promise<void> {
  const { guest, signal, moving, release } = await filesGuest(rt, box, WHAT, client);
  let lost: A3sError | undefined;
  try {
    await guest.files.write(request, moving(expandArchive(archive), 'client'), signal);
  } catch (error) {
    throw named(error, box, request.path);
  } finally {
    lost = await release();
  }
  if (lost !== undefined) throw lost;
  publish(rt, box, 'extract-to-dir');
}

/**
 * The root of a box as an archive, without what is mounted in it.
 *
 * @throws A3sError `host-not-permitted`
 */
export async function exportFiles(
  rt: CopyHost,
  box: Box,
  client: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void, void>> {
  const files = await filesGuest(rt, box, 'export the files of', client);
  try {
    const archive = await files.guest.files.export(files.signal);
    publish(rt, box, 'export');
    return ending(archive, files);
  } catch (error) {
    await files.release();
    throw error;
  }
}

/**
 * The paths of a box that differ from its image.
 *
 * @throws A3sError `host-not-permitted`
 */
export async function listChanges(
  rt: CopyHost,
  box: Box,
  client: AbortSignal,
): Promise<readonly FileChange[]> {
  const what = 'list the changed files of';
  const { guest, signal, release } = await filesGuest(rt, box, what, client);
  try {
    return await guest.files.changes(signal);
  } finally {
    await release();
  }
}

/** In Docker's words. */
function named(error: unknown, box: Box, path: string): unknown {
  if (!(error instanceof A3sError) || error.code !== 'no-such-file') return error;
  return new A3sError('no-such-file', `Could not find the file ${path} in container ${box.name}`, {
    cause: error,
  });
}
