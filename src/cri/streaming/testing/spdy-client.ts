/**
 * A client of SPDY/3.1 for tests, which compresses headers by Node's zlib.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { ArrivingBytes } from '../../../arriving-bytes.ts';
import { DICTIONARY } from '../spdy/dictionary.ts';
import * as frames from '../spdy/frames.ts';
import { HeaderReader } from '../spdy/header-block.ts';

/** Compresses the headers of one connection. */
export class HeaderWriter {
  readonly #deflate = createDeflate({ dictionary: DICTIONARY });

  async block(headers: Readonly<Record<string, string>>): Promise<Buffer> {
    const entries = Object.entries(headers);
    const text = (value: string): Buffer =>
      Buffer.concat([uint32(value.length), Buffer.from(value)]);
    return await this.raw(
      Buffer.concat([
        uint32(entries.length),
        ...entries.flatMap(([name, value]) => [text(name), text(value)]),
      ]),
    );
  }

  /** Bytes of the test's. */
  async raw(bytes: Uint8Array): Promise<Buffer> {
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    this.#deflate.on('data', take);
    this.#deflate.write(bytes);
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.#deflate.off('data', take);
    return Buffer.concat(parts);
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What the server has sent over one stream. */
interface Received {
  replied: boolean;
  ended: boolean;
  reset: number | undefined;
  bytes: Buffer[];
}

export class SpdyClient {
  readonly socket: Duplex;
  readonly headers = new HeaderWriter();
  /** Control frames other than replies and resets: type and payload. */
  readonly control: { readonly type: number; readonly payload: Buffer }[] = [];
  closed = false;
  readonly #received = new Map<number, Received>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #replies = new HeaderReader();
  #next = 1;

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('error', () => undefined);
    void this.#read()
      .catch(() => undefined)
      .then(() => {
        this.closed = true;
        this.#changes.emit('change');
      });
  }

  /** Opens a stream, and waits for nothing. */
  async open(headers: Readonly<Record<string, string>>, flags = 0): Promise<number> {
    const id = this.#next;
    this.#next += 2;
    const block = await this.headers.block(headers);
    const rest = Buffer.concat([Buffer.alloc(2), block]);
    const frame = frames.controlFrame(frames.SYN_STREAM, [id, 0], rest);
    frame.writeUInt8(flags, 4);
    this.socket.write(frame);
    return id;
  }

  send(id: number, bytes: Uint8Array | string, end = false): void {
    this.socket.write(frames.dataFrame(id, Buffer.from(bytes), end ? frames.FIN : 0));
  }

  of(id: number): Received {
    const known = this.#received.get(id) ?? {
      replied: false,
      ended: false,
      reset: undefined,
      bytes: [],
    };
    this.#received.set(id, known);
    return known;
  }

  text(id: number): string {
    return Buffer.concat(this.of(id).bytes).toString();
  }

  /** Waits until something holds that depends on what the server sends. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await once(this.#changes, 'change', { signal: AbortSignal.timeout(30_000) });
    }
  }

  async #read(): Promise<void> {
    const bytes = new ArrivingBytes(this.socket as AsyncIterable<Buffer>);
    for (;;) {
      const head = frames.parseHead(await bytes.exactly(frames.HEAD_BYTES));
      const payload = await bytes.exactly(head.length);
      if ('stream' in head) {
        const stream = this.of(head.stream);
        stream.bytes.push(payload);
        stream.ended ||= (head.flags & frames.FIN) !== 0;
      } else if (head.type === frames.SYN_REPLY) {
        await this.#replies.read(payload.subarray(4));
        this.of(payload.readUInt32BE(0)).replied = true;
      } else if (head.type === frames.RST_STREAM) {
        this.of(payload.readUInt32BE(0)).reset = payload.readUInt32BE(4);
      } else this.control.push({ type: head.type, payload });
      this.#changes.emit('change');
    }
  }
}
