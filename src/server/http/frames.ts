/**
 * Docker's framing of two streams on one connection.
 *
 * @module
 */
const HEADER_BYTES = 8;

export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

/** Docker's API version from which clients learn whether a stream is framed. */
export const NAMES_FRAMING_SINCE = 42;

/** The bytes with a header that names their stream and their length. */
export function frame(stream: 1 | 2, bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  framed.writeUInt32BE(stream * 0x1000000, 0);
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, HEADER_BYTES);
  return framed;
}

const NEWLINE = 0x0a;
/** Docker cuts longer lines. */
const MAX_LINE = 16 * 1024;

/** The bytes with a header before each line in them, and before the rest after the last one. */
export function lineFrames(stream: 1 | 2, bytes: Uint8Array): Buffer {
  const frames: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = lineEnd(bytes, start) ?? bytes.length;
    frames.push(frame(stream, bytes.subarray(start, end)));
    start = end;
  }
  return Buffer.concat(frames);
}

/** Makes one frame of each line of a log. The chunks may end anywhere in a line. */
export class LogFrames {
  readonly #open: Readonly<Record<1 | 2, { parts: Buffer[]; bytes: number }>> = {
    1: { parts: [], bytes: 0 },
    2: { parts: [], bytes: 0 },
  };

  /** The frames of the lines that end in the chunk. The rest is kept, as a copy. */
  take(stream: 1 | 2, bytes: Uint8Array): Buffer {
    const open = this.#open[stream];
    const frames: Buffer[] = [];
    for (let start = 0; start < bytes.length; ) {
      const room = Math.min(bytes.length, start + MAX_LINE - open.bytes);
      const line = lineEnd(bytes.subarray(0, room), start);
      const end = line ?? room;
      open.parts.push(Buffer.from(bytes.subarray(start, end)));
      open.bytes += end - start;
      if (line !== undefined || open.bytes === MAX_LINE) frames.push(this.#close(stream));
      start = end;
    }
    return Buffer.concat(frames);
  }

  /** Whether a line is incomplete. */
  get open(): boolean {
    return this.#open[1].bytes > 0 || this.#open[2].bytes > 0;
  }

  /** The frames of incomplete lines. */
  end(): Buffer {
    const left = ([1, 2] as const).filter((stream) => this.#open[stream].bytes > 0);
    return Buffer.concat(left.map((stream) => this.#close(stream)));
  }

  #close(stream: 1 | 2): Buffer {
    const open = this.#open[stream];
    const line = Buffer.concat(open.parts);
    open.parts = [];
    open.bytes = 0;
    return frame(stream, line);
  }
}

/** The offset after the next newline. */
function lineEnd(bytes: Uint8Array, start: number): number | undefined {
  const newline = bytes.indexOf(NEWLINE, start);
  return newline === -1 ? undefined : newline + 1;
}
