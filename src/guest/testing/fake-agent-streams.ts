/**
 * The fake agent's side of an HTTP/2 stream: bodies, answers, output frames and input.
 *
 * @module
 */
import { once } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type * as z from 'zod';
import { encodeFrame } from '../frame.ts';
import { GUEST_ERRORS } from '../guest-errors.ts';
import type { FakeProcess } from './fake-process.ts';
import { FakeRefusal } from './fake-refusal.ts';

/** Aborted when the stream is gone. */
export function closing(stream: ServerHttp2Stream): AbortSignal {
  const controller = new AbortController();
  if (stream.closed || stream.destroyed) controller.abort();
  stream.once('close', () => controller.abort());
  return controller.signal;
}

export function json(stream: ServerHttp2Stream, status: number, body?: unknown): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const headers = { ':status': status, 'content-type': 'application/json' };
  stream.respond(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(JSON.stringify(body));
}

/** Answers an error, or resets a stream that was answered already. */
export function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent || !(error instanceof FakeRefusal)) {
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  const { code, message, rule } = error;
  json(stream, GUEST_ERRORS[code].status, { error: { code, message, rule } });
}

export async function readBytes(stream: ServerHttp2Stream, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) throw new FakeRefusal('too-large', `a body is bounded to ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export async function readJson<T>(
  stream: ServerHttp2Stream,
  schema: z.ZodType<T>,
  limit: number,
): Promise<{ value: T; bytes: Buffer }> {
  const bytes = await readBytes(stream, limit);
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new FakeRefusal('invalid', String(error));
  }
  const result = schema.safeParse(document);
  if (!result.success) throw new FakeRefusal('invalid', result.error.message);
  return { value: result.data, bytes };
}

/** `output`: acknowledgements in, frames out. */
export async function sendFrames(
  stream: ServerHttp2Stream,
  process: FakeProcess,
  query: URLSearchParams,
): Promise<void> {
  const { output } = process;
  const from = query.get('offset') ?? '';
  if (!/^\d{1,16}$/.test(from)) throw new FakeRefusal('invalid', `offset ${from}`);
  let offset = Number(from);
  if (offset < output.acknowledged || offset > output.written) {
    throw new FakeRefusal('offset-gone', `offset ${offset}`);
  }
  process.readOutput(() => stream.close(constants.NGHTTP2_CANCEL));
  const gone = closing(stream);
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
  readAcknowledgements(stream, (acknowledged) => {
    if (acknowledged < output.acknowledged || acknowledged > offset) {
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    } else output.acknowledge(acknowledged);
  });
  while (!gone.aborted) {
    const segment = output.at(offset);
    if (segment !== undefined) {
      offset += segment.data.length;
      const more = stream.write(encodeFrame(segment.stream, segment.offset, segment.data));
      if (!more) await once(stream, 'drain', { signal: gone }).catch(() => undefined);
    } else if (output.complete) {
      stream.end(encodeFrame('end', offset, Buffer.alloc(0)));
      return;
    } else await output.changed(gone).catch(() => undefined);
  }
}

function readAcknowledgements(stream: ServerHttp2Stream, take: (offset: number) => void): void {
  let pending = Buffer.alloc(0);
  stream.on('data', (data: Buffer) => {
    pending = Buffer.concat([pending, data]);
    for (; pending.length >= 8; pending = pending.subarray(8)) {
      take(Number(pending.readBigUInt64BE(0)));
    }
  });
}

/** `stdin`: bytes in, one answer when either side has ended. */
export async function takeStdin(stream: ServerHttp2Stream, process: FakeProcess): Promise<void> {
  if (process.stdinTaken) throw new FakeRefusal('conflict', 'the input is taken');
  process.stdinTaken = true;
  const gone = closing(stream);
  gone.addEventListener('abort', () => {
    process.stdinTaken = false;
  });
  process.inputClose(gone).then(
    () => {
      json(stream, 200, { closed: true });
      stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    },
    () => undefined,
  );
  for await (const data of stream.iterator({ destroyOnReturn: false })) {
    if (process.inputClosed) return;
    await process.input(data as Buffer, gone);
  }
  // A stream that was reset ends its iteration too, but leaves the input open.
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || process.inputClosed) return;
  process.endInput();
  json(stream, 200, { closed: false });
}
