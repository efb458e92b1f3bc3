/**
 * Output frames: a 16-byte header and a payload, as `docs/development/guest-protocol.md` lays them
 * out.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

export const FRAME_HEADER_BYTES = 16;
export const MAX_FRAME_PAYLOAD = 64 * 1024;

const STREAM_STDOUT = 1;
const STREAM_STDERR = 2;
const STREAM_END = 3;

export type OutputStream = 'stdout' | 'stderr';

/** A piece of a process's output. `offset` counts both streams together. */
export interface OutputChunk {
  readonly stream: OutputStream;
  readonly offset: number;
  readonly data: Buffer;
}

/** The bytes of one frame. `end` has no data. */
export function encodeFrame(stream: OutputStream | 'end', offset: number, data: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt8(
    stream === 'stdout' ? STREAM_STDOUT : stream === 'stderr' ? STREAM_STDERR : STREAM_END,
    0,
  );
  header.writeUInt32BE(data.length, 4);
  header.writeBigUInt64BE(BigInt(offset), 8);
  return Buffer.concat([header, data]);
}

/**
 * Reads frames from bytes that arrive in pieces of any size, and buffers less than one header.
 * Payloads are passed on as they arrive, so one frame may give several chunks.
 */
export class FrameParser {
  #header: Buffer = Buffer.alloc(0);
  /** Bytes of the current frame's payload that are still to come. */
  #remaining = 0;
  #stream: OutputStream = 'stdout';
  #offset: number;
  #ended = false;

  /** @param offset where the first frame has to start */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether the end frame was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The chunks that `bytes` completes, without copying them.
   * Throws `agent-failed` for an unknown stream, a gap, an oversized frame, or bytes after the end.
   */
  push(bytes: Buffer): OutputChunk[] {
    const chunks: OutputChunk[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#remaining > 0) {
        const data = rest.subarray(0, this.#remaining);
        chunks.push({ stream: this.#stream, offset: this.#offset, data });
        this.#offset += data.length;
        this.#remaining -= data.length;
        rest = rest.subarray(data.length);
        continue;
      }
      if (this.#ended) throw malformed('bytes follow the end frame');
      const missing = FRAME_HEADER_BYTES - this.#header.length;
      const header =
        this.#header.length === 0 && rest.length >= missing
          ? rest.subarray(0, missing)
          : Buffer.concat([this.#header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < FRAME_HEADER_BYTES) {
        this.#header = header;
        break;
      }
      this.#header = Buffer.alloc(0);
      this.#open(header);
    }
    return chunks;
  }

  /** Called when the bytes end. Throws `agent-failed` unless the end frame came last. */
  finish(): void {
    if (!this.#ended) throw malformed(`it broke off at offset ${this.#offset}`);
  }

  #open(header: Buffer): void {
    const stream = header.readUInt8(0);
    const length = header.readUInt32BE(4);
    const offset = header.readBigUInt64BE(8);
    if (header.readUIntBE(1, 3) !== 0) throw malformed('reserved bytes are not zero');
    if (offset !== BigInt(this.#offset)) {
      throw malformed(`a frame starts at offset ${offset}, expected ${this.#offset}`);
    }
    if (stream === STREAM_END) {
      if (length !== 0) throw malformed('the end frame has a payload');
      this.#ended = true;
      return;
    }
    if (stream !== STREAM_STDOUT && stream !== STREAM_STDERR) {
      throw malformed(`unknown stream ${stream}`);
    }
    if (length === 0) throw malformed('a frame is empty');
    if (length > MAX_FRAME_PAYLOAD) {
      throw malformed(`a frame has ${length} bytes, at most ${MAX_FRAME_PAYLOAD} are allowed`);
    }
    if (this.#offset + length > Number.MAX_SAFE_INTEGER) throw malformed('offsets overflow');
    this.#stream = stream === STREAM_STDOUT ? 'stdout' : 'stderr';
    this.#remaining = length;
  }
}

function malformed(what: string): A3sError {
  return new A3sError('agent-failed', `Cannot read the output from the guest: ${what}`);
}
