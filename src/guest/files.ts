/**
 * Copies files of the box as tar archives. The archives pass through; nothing here reads them.
 *
 * @module
 */
import type { ClientHttp2Stream } from 'node:http2';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { narrow } from '../narrow.ts';
import { answerStatus, bytesOf, parseJson, readAnswer } from './body.ts';
import { discard, type RequestConnection } from './http2-connection.ts';
import { FileChange, FilePath, FileStat, WriteFiles } from './protocol.ts';
import { agentFailed, refusal } from './refusal.ts';

const ANSWER_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** What a path names, and the archive of it. */
export interface ReadFiles {
  readonly stat: FileStat;
  /** To be read to its end, or ended early. Throws `agent-failed` where it breaks off. */
  readonly archive: AsyncGenerator<Uint8Array, void, void>;
}

/** @throws A3sError `no-such-file`, `invalid-argument` */
export async function readFiles(
  connection: RequestConnection,
  path: string,
  signal: AbortSignal,
): Promise<ReadFiles> {
  const stream = await openAnswer(connection, '/v1/files/read', FilePath.parse({ path }), signal);
  try {
    const bytes = bytesOf(stream);
    const { line, rest } = await firstLine(bytes);
    const stat = narrow(FileStat, parseJson(line));
    if (!stat.success) throw agentFailed('its description of a path is malformed', stat.error);
    return { stat: stat.data, archive: archiveOf(stream, rest, bytes) };
  } catch (error) {
    discard(stream);
    signal.throwIfAborted();
    throw error;
  }
}

/** The root of the box as an archive, without what is mounted in it. */
export async function exportFiles(
  connection: RequestConnection,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void, void>> {
  return await openArchive(connection, '/v1/files/export', signal);
}

/** What differs from the image, as a layer of an OCI image. It is not to be trusted. */
export async function readLayer(
  connection: RequestConnection,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void, void>> {
  return await openArchive(connection, '/v1/files/layer', signal);
}

async function openArchive(
  connection: RequestConnection,
  route: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void, void>> {
  const stream = await openAnswer(connection, route, undefined, signal);
  return archiveOf(stream, Buffer.alloc(0), bytesOf(stream));
}

/** Bounds of a list of changes. */
export const CHANGES = { bytes: 32 * 1024 * 1024, entries: 500_000 };
/** Longest line of one; a path may have up to 16384 characters, each written with up to six. */
const CHANGE_BYTES = 128 * 1024;
/** Lines that are read in one go. */
const BATCH = 1000;

/** The paths that differ from the image. Throws `agent-failed` for more of them than the limits. */
export async function listChanges(
  connection: RequestConnection,
  signal: AbortSignal,
  limits = CHANGES,
): Promise<FileChange[]> {
  const stream = await openAnswer(connection, '/v1/files/changes', undefined, signal);
  const changes: FileChange[] = [];
  let unread = BATCH;
  try {
    for await (const line of linesOf(bytesOf(stream), limits.bytes)) {
      if (changes.length === limits.entries) {
        throw agentFailed(`its list of changes has more than ${limits.entries} paths`);
      }
      const change = narrow(FileChange, parseJson(line));
      if (!change.success) throw agentFailed('its list of changes is malformed', change.error);
      changes.push(change.data);
      unread -= 1;
      if (unread > 0) continue;
      unread = BATCH;
      // A long list does not keep the server from its other work.
      await nextTurn();
    }
    return changes;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    discard(stream);
  }
}

/** Without an empty last one. */
async function* linesOf(
  bytes: AsyncGenerator<Buffer, void, void>,
  limit: number,
): AsyncGenerator<Buffer, void, void> {
  let size = 0;
  let head: Buffer = Buffer.alloc(0);
  for await (const piece of bytes) {
    size += piece.length;
    if (size > limit) throw agentFailed(`its list of changes has more than ${limit} bytes`);
    let data: Buffer = head.length === 0 ? piece : Buffer.concat([head, piece]);
    for (let end = data.indexOf(LINE_FEED); end >= 0; end = data.indexOf(LINE_FEED)) {
      yield data.subarray(0, end);
      data = data.subarray(end + 1);
    }
    if (data.length > CHANGE_BYTES) throw agentFailed('its list of changes has too long a line');
    head = data;
  }
  if (head.length > 0) yield head;
}

/** A stream with an answer of bytes. It ends when the signal aborts. */
async function openAnswer(
  connection: RequestConnection,
  route: string,
  body: unknown,
  signal: AbortSignal,
): Promise<ClientHttp2Stream> {
  const stream = await connection.openInOrder('POST', route, {
    ...{ signal, body, endStream: body === undefined },
  });
  const onAbort = (): void => discard(stream);
  signal.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', onAbort));
  try {
    // It may have aborted while the stream was opened.
    signal.throwIfAborted();
    const status = await answerStatus(stream);
    if (status === 200) return stream;
    throw refusal(`POST ${route}`, status, parseJson(await readAnswer(stream, ANSWER_BYTES)));
  } catch (error) {
    discard(stream);
    signal.throwIfAborted();
    throw error;
  }
}

async function firstLine(
  bytes: AsyncGenerator<Buffer, void, void>,
): Promise<{ line: Buffer; rest: Buffer }> {
  let head: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = head.indexOf(LINE_FEED);
    if (end >= 0) return { line: head.subarray(0, end), rest: head.subarray(end + 1) };
    if (head.length > ANSWER_BYTES) throw agentFailed('its description of a path is too long');
    const next = await bytes.next();
    if (next.done === true) throw agentFailed('its description of a path broke off');
    head = Buffer.concat([head, next.value]);
  }
}

async function* archiveOf(
  stream: ClientHttp2Stream,
  first: Buffer,
  rest: AsyncGenerator<Buffer, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    discard(stream);
  }
}

/**
 * Extracts an archive into a directory of the box. Returns when all of it is there. Where the
 * archive breaks off, what came before stays, and no part of a file.
 *
 * @throws A3sError `no-such-file`, `invalid-argument`, `read-only-files`, `box-disk-full`; what
 * `archive` throws
 */
export async function writeFiles(
  connection: RequestConnection,
  request: WriteFiles,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const route = '/v1/files';
  const stream = await connection.openInOrder('PUT', route, { signal });
  const onAbort = (): void => discard(stream);
  signal.addEventListener('abort', onAbort, { once: true });
  // The agent answers before the end of the archive only where it refuses it.
  const answered = answerStatus(stream);
  answered.catch(() => undefined);
  try {
    // It may have aborted while the stream was opened.
    signal.throwIfAborted();
    const head = Buffer.from(`${JSON.stringify(WriteFiles.parse(request))}\n`);
    const sent = send(stream, head, archive);
    sent.catch(() => undefined);
    await Promise.race([sent, answered]);
    const status = await answered;
    const body = await readAnswer(stream, ANSWER_BYTES);
    if (status !== 204) throw refusal(`PUT ${route}`, status, parseJson(body));
    await sent;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    discard(stream);
  }
}

/** Sends with back pressure, and stops where the stream has ended. */
async function send(
  stream: ClientHttp2Stream,
  head: Buffer,
  archive: AsyncIterable<Uint8Array>,
): Promise<void> {
  await write(stream, head);
  for await (const chunk of archive) {
    if (!stream.writable) return;
    await write(stream, chunk);
  }
  stream.end();
}

function write(stream: ClientHttp2Stream, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    // A write that the agent does not wait for is never reported. The answer says why.
    const done = (): void => {
      stream.off('close', done);
      resolve();
    };
    stream.once('close', done);
    if (stream.writable) stream.write(chunk, done);
    else done();
  });
}
