/**
 * The files of a box, as the host sees them: the routes below `/v1/files`.
 *
 * @module
 */
import * as z from 'zod';
import { expectProtocol } from './expect-protocol.ts';
import {
  exportFiles,
  listChanges,
  type ReadFiles,
  readFiles,
  readLayer,
  writeFiles,
} from './files.ts';
import type { RequestConnection } from './http2-connection.ts';
import { type FileChange, FilePath, FileStat, type WriteFiles } from './protocol.ts';

/** A file server of the host may take its time. */
const STAT_MS = 120_000;
/** For all that a box has in memory to reach its disk. */
const SYNC_MS = 300_000;

/** Every method rejects as those of `Guest` do, and for an agent before protocol 7. */
export class GuestFiles {
  readonly #connection: RequestConnection;

  constructor(connection: RequestConnection) {
    this.#connection = connection;
  }

  /** What a path of the box names. */
  async stat(path: string, signal: AbortSignal): Promise<FileStat> {
    this.#expectCopies();
    const options = { signal, deadlineMs: STAT_MS };
    const body = FilePath.parse({ path });
    return await this.#connection.call('POST', '/v1/files/stat', body, FileStat, options);
  }

  /** What a path of the box names, and its archive. */
  async read(path: string, signal: AbortSignal): Promise<ReadFiles> {
    this.#expectCopies();
    return await readFiles(this.#connection, path, signal);
  }

  /** Extracts an archive into a directory of the box. */
  async write(
    request: WriteFiles,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#expectCopies();
    await writeFiles(this.#connection, request, archive, signal);
  }

  /** The root of the box as an archive, without what is mounted in it. */
  async export(signal: AbortSignal): Promise<AsyncGenerator<Uint8Array, void, void>> {
    this.#expectCopies();
    return await exportFiles(this.#connection, signal);
  }

  /** What differs from the image, as a layer of an OCI image. */
  async layer(signal: AbortSignal): Promise<AsyncGenerator<Uint8Array, void, void>> {
    this.#expectCopies();
    return await readLayer(this.#connection, signal);
  }

  /** The paths that differ from the image. */
  async changes(signal: AbortSignal): Promise<readonly FileChange[]> {
    this.#expectCopies();
    return await listChanges(this.#connection, signal);
  }

  /** Returns once what the box has written to its writable layer is there. Protocol 8. */
  async sync(signal: AbortSignal): Promise<void> {
    expectProtocol(this.#connection, 8, 'snapshots of disks');
    const options = { signal, deadlineMs: SYNC_MS };
    await this.#connection.call('POST', '/v1/files/sync', undefined, z.undefined(), options);
  }

  #expectCopies(): void {
    expectProtocol(this.#connection, 7, 'copies of files');
  }
}
