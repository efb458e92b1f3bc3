/**
 * The files of a fake box: what its paths name, their archives, and the archives that were written
 * into it.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import {
  type FileChange,
  FilePath,
  type FileStat,
  type ShareChange,
  ShareChanges,
  WriteFiles,
} from '../protocol.ts';
import { json, readBytes, readJson } from './fake-agent-streams.ts';
import { FakeRefusal } from './fake-refusal.ts';

const JSON_BYTES = 64 * 1024;
const BODY_BYTES = 64 * 1024 * 1024;
const DIRECTORY = 2 ** 31 + 0o755;

export interface FakeFile {
  readonly stat?: Partial<FileStat>;
  readonly archive?: Buffer;
}

export interface WrittenFiles extends WriteFiles {
  readonly archive: Buffer;
}

type FilesRoute = [
  method: string,
  path: RegExp,
  answer: (stream: ServerHttp2Stream) => Promise<void>,
];

export class FakeFiles {
  readonly routes: readonly FilesRoute[] = [
    ['POST', /^\/v1\/files\/stat$/, (stream) => this.stat(stream)],
    ['POST', /^\/v1\/files\/read$/, (stream) => this.read(stream)],
    ['POST', /^\/v1\/files\/export$/, (stream) => this.export(stream)],
    ['POST', /^\/v1\/files\/layer$/, (stream) => this.layer(stream)],
    ['POST', /^\/v1\/files\/changes$/, (stream) => this.changes(stream)],
    ['POST', /^\/v1\/files\/sync$/, (stream) => this.sync(stream)],
    ['PUT', /^\/v1\/files$/, (stream) => this.write(stream)],
    ['POST', /^\/v1\/shares\/changes$/, (stream) => this.report(stream)],
  ];
  /** What the host has reported as changed. */
  readonly reported: ShareChange[] = [];
  /** What paths name, by their text. */
  readonly paths = new Map<string, FakeFile>([
    ['/', {}],
    ['/tmp', {}],
  ]);
  readonly written: WrittenFiles[] = [];
  /** The archive of the whole root. */
  root = Buffer.alloc(1024);
  changed: readonly FileChange[] = [];
  /** The layer of what was changed. */
  changedLayer: Buffer = Buffer.alloc(1024);
  /** How often the box's disk was brought up to date. */
  synced = 0;
  /** Refuses every archive before it has read it. */
  refusal: FakeRefusal | undefined;
  /** Breaks archives off after their first half. */
  breaksOff = false;

  async sync(stream: ServerHttp2Stream): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal;
    this.synced += 1;
    json(stream, 204);
  }

  async stat(stream: ServerHttp2Stream): Promise<void> {
    const { path } = (await readJson(stream, FilePath, JSON_BYTES)).value;
    json(stream, 200, statOf(path, this.#find(path)));
  }

  async read(stream: ServerHttp2Stream): Promise<void> {
    const { path } = (await readJson(stream, FilePath, JSON_BYTES)).value;
    const file = this.#find(path);
    const archive = file.archive ?? Buffer.alloc(1024);
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    stream.write(`${JSON.stringify(statOf(path, file))}\n`);
    this.#send(stream, archive);
  }

  async write(stream: ServerHttp2Stream): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal;
    const body = await readBytes(stream, BODY_BYTES);
    // A host that gives up resets the stream.
    if (stream.rstCode !== 0 || stream.aborted) return;
    const end = body.indexOf(0x0a);
    const head = WriteFiles.safeParse(JSON.parse(body.subarray(0, end).toString()));
    if (!head.success) throw new FakeRefusal('invalid', head.error.message);
    this.#find(head.data.path);
    this.written.push({ ...head.data, archive: body.subarray(end + 1) });
    json(stream, 204);
  }

  async export(stream: ServerHttp2Stream): Promise<void> {
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    stream.end(this.root);
  }

  async layer(stream: ServerHttp2Stream): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal;
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    this.#send(stream, this.changedLayer);
  }

  async changes(stream: ServerHttp2Stream): Promise<void> {
    stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
    stream.end(this.changed.map((change) => `${JSON.stringify(change)}\n`).join(''));
  }

  async report(stream: ServerHttp2Stream): Promise<void> {
    const { changes } = (await readJson(stream, ShareChanges, JSON_BYTES)).value;
    this.reported.push(...changes);
    json(stream, 200, { touched: changes.length });
  }

  #send(stream: ServerHttp2Stream, archive: Buffer): void {
    if (!this.breaksOff) stream.end(archive);
    else {
      // Not `close`, which ends the answer in order before its reset.
      const breakOff = (): void => void stream.destroy(new Error('it breaks off'));
      stream.write(archive.subarray(0, archive.length / 2), breakOff);
    }
  }

  #find(path: string): FakeFile {
    const file = this.paths.get(path);
    if (file === undefined) throw new FakeRefusal('path-not-found', `lstat ${path}: no such file`);
    return file;
  }
}

function statOf(path: string, { stat }: FakeFile): FileStat {
  const name = path.split('/').at(-1) || '/';
  const times = { mtime: 1_000_000_000, nanoseconds: 0 };
  return { name, size: 4096, mode: DIRECTORY, linkTarget: '', ...times, ...stat };
}
