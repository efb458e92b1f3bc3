/**
 * A staging area for the files of an archive until they are verified. Its files are numbered: no
 * name from outside reaches the file system.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, Digester } from '../../oci/digest.ts';
import { DiskBudget, explainDiskError } from '../disk-budget.ts';
import { writeFully } from '../erofs/sparse-writer.ts';
import { createDurably, makePrivate } from './files.ts';

const BATCH_BYTES = 1024 * 1024;
const BATCH_CHUNKS = 256;

/** A file in the staging area, hashed while it was written, and durable. */
export interface StagedFile {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
}

export class Staging {
  readonly directory: string;
  readonly budget: DiskBudget;
  #count = 0;

  private constructor(directory: string, budget: DiskBudget) {
    this.directory = directory;
    this.budget = budget;
  }

  static async create(parent: string): Promise<Staging> {
    const directory = join(parent, randomUUID());
    await makePrivate(directory);
    return new Staging(directory, await DiskBudget.of(directory));
  }

  /** A name that is not taken. */
  nextPath(): string {
    this.#count += 1;
    return join(this.directory, String(this.#count));
  }

  /** @throws A3sError `disk-full` */
  async add(body: AsyncIterable<Uint8Array>): Promise<StagedFile> {
    const path = this.nextPath();
    const digester = new Digester();
    let size = 0;
    try {
      await createDurably(path, async (file) => {
        const batch = new Batch(file);
        for await (const chunk of body) {
          this.budget.take(chunk.length);
          digester.update(chunk);
          await batch.add(chunk);
          size += chunk.length;
        }
        await batch.flush();
      });
    } catch (error) {
      throw explainDiskError(error, this.directory);
    }
    return { path, size, digest: digester.digest() };
  }

  async addBytes(bytes: Uint8Array): Promise<StagedFile> {
    return await this.add(bytesOf(bytes));
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Bytes that are written together: a network delivers small chunks. */
class Batch {
  readonly #file: FileHandle;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length >= BATCH_BYTES || this.#chunks.length === BATCH_CHUNKS) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const { bytesWritten } = await this.#file.writev(this.#chunks, this.#position);
    if (bytesWritten < this.#length) {
      const rest = Buffer.concat(this.#chunks).subarray(bytesWritten);
      await writeFully(this.#file, rest, this.#position + bytesWritten);
    }
    this.#position += this.#length;
    this.#chunks = [];
    this.#length = 0;
  }
}

/** A staged document as a whole, which the caller has found small enough. */
export async function readStaged(file: StagedFile): Promise<Buffer> {
  const handle = await open(file.path, 'r');
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** The bytes of a file, from its start. */
export function streamFile(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: 256 * 1024 });
}

/** As a stream. */
export async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
