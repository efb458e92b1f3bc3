/**
 * The server's side of a connection of SPDY/3.1, as Kubernetes' clients use it: all streams are
 * theirs, and no answer has headers.
 *
 * @module
 */
import { EventEmitter, once } from 'node:events';
import { ArrivingBytes, EndedEarly } from '../../../arriving-bytes.ts';
import { writeBytes } from '../../../async/write-bytes.ts';
import type { ByteConnection } from '../../../web-socket/stream.ts';
import { endOutput } from '../end-output.ts';
import { pingWhile } from '../ping-while.ts';
import { SpdyBroken } from './broken.ts';
import * as frames from './frames.ts';
import { EmptyHeaders, HeaderReader } from './header-block.ts';
import { type SpdySender, SpdyStream, WINDOW_BYTES } from './stream.ts';

/** The longest control frame: headers, in effect. Data is passed on as it arrives. */
const MAX_CONTROL = 16 * 1024;
/** Headers for a stream that is open already: nobody sends them. */
const MAX_LATE_HEADERS = 16;
const INITIAL_WINDOW = 7;
const MAX_WINDOW = 0x7fffffff;
const UNIDIRECTIONAL = 0x02;

export interface SpdyOptions {
  /** More are refused. */
  readonly maxStreams: number;
  /** Called with each stream that the client opens. */
  readonly onStream: (stream: SpdyStream) => void;
  /** Between pings, while nobody takes what the client sends. */
  readonly pingMs?: number;
  /** What a client has to close the connection, after this side has. */
  readonly lingerMs?: number;
}

export class SpdyConnection implements SpdySender {
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  readonly #gone = new AbortController();
  readonly #connection: ByteConnection;
  readonly #options: SpdyOptions;
  readonly #bytes: ArrivingBytes;
  readonly #headers = new HeaderReader();
  readonly #replies = new EmptyHeaders();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #windows = new EventEmitter().setMaxListeners(0);
  /** By stream, beside what each has from the beginning; 0 is the connection. */
  readonly #added = new Map<number, number>();
  /**
   * Go's implementation, and so kubectl and the API server, knows of no windows. It takes all that
   * the connection has room for. Windows hold from the first frame on that mentions one.
   */
  #hasWindows = false;
  #initialWindow = WINDOW_BYTES;
  #sent = 0;
  /** Bytes of data since the client got room for more of them. */
  #arrived = 0;
  #lastStream = 0;
  #lateHeaders = 0;
  /** The id of the last ping that was sent: even, as a server's are. */
  #pings = 0;
  #leaving = false;

  constructor(connection: ByteConnection, options: SpdyOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#bytes = new ArrivingBytes(connection.input);
    this.gone = this.#gone.signal;
    const { output } = connection;
    output.setMaxListeners(0);
    output.once('close', () => this.#lose());
    output.on('error', () => this.#lose());
    if (output.destroyed) this.#lose();
  }

  /** Reads frames until the client is gone. Never rejects. */
  async serve(): Promise<void> {
    try {
      for (;;) await this.#frame();
    } catch (error) {
      if (error instanceof SpdyBroken) {
        await this.control(frames.GOAWAY, [this.#lastStream, frames.GOAWAY_PROTOCOL_ERROR]);
      }
      // A client that ends its side is gone: no stream outlives it.
      if (!(error instanceof EndedEarly) || !this.#leaving) this.#connection.output.destroy();
    } finally {
      this.#lose();
      this.#headers.close();
    }
  }

  /** Sends what is left, and closes the connection. */
  async close(): Promise<void> {
    if (this.gone.aborted) return;
    this.#leaving = true;
    const { output } = this.#connection;
    if (!output.writable) return;
    const goAway = frames.controlFrame(frames.GOAWAY, [this.#lastStream, frames.GOAWAY_OK]);
    endOutput(output, goAway, this.#options.lingerMs);
  }

  async send(frame: Buffer): Promise<void> {
    if (this.gone.aborted || !this.#connection.output.writable) return;
    await writeBytes(this.#connection.output, frame, this.gone);
  }

  async control(type: number, numbers: readonly number[]): Promise<void> {
    await this.send(frames.controlFrame(type, numbers));
  }

  async room(stream: SpdyStream, most: number): Promise<number> {
    for (;;) {
      if (this.gone.aborted || stream.outputEnded) return 0;
      const room = Math.min(most, this.#window(stream));
      if (room > 0) {
        this.#sent += room;
        stream.sent += room;
        return room;
      }
      await once(this.#windows, 'change', { signal: this.gone }).catch(() => undefined);
    }
  }

  taken(stream: SpdyStream, bytes: number): void {
    void this.control(frames.WINDOW_UPDATE, [stream.id, bytes]);
  }

  closed(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.#added.delete(stream.id);
    this.#windows.emit('change');
  }

  #window(stream: SpdyStream): number {
    if (!this.#hasWindows) return Number.POSITIVE_INFINITY;
    return Math.min(
      this.#initialWindow + this.#addedTo(stream.id) - stream.sent,
      WINDOW_BYTES + this.#addedTo(0) - this.#sent,
    );
  }

  #addedTo(stream: number): number {
    return this.#added.get(stream) ?? 0;
  }

  /** @throws SpdyBroken, EndedEarly, and what the connection breaks with */
  async #frame(): Promise<void> {
    const head = frames.parseHead(await this.#bytes.exactly(frames.HEAD_BYTES));
    if ('stream' in head) return await this.#data(head);
    const { version, type, flags, length } = head;
    if (version !== 3) throw new SpdyBroken(`a frame has the version ${version}`);
    if (length > MAX_CONTROL) throw new SpdyBroken(`a control frame has ${length} bytes`);
    const payload = await this.#bytes.exactly(length);
    switch (type) {
      case frames.SYN_STREAM:
        return await this.#open(payload, flags);
      case frames.HEADERS: {
        this.#lateHeaders += 1;
        if (this.#lateHeaders > MAX_LATE_HEADERS) throw new SpdyBroken('headers do not end');
        // They are a part of the compressed stream, whatever they say.
        await this.#headers.read(rest(payload, 4));
        return;
      }
      case frames.RST_STREAM:
        return this.#streams.get(number(payload, 0))?.cancel();
      case frames.PING: {
        const id = number(payload, 0);
        // An even one answers a ping of the server's.
        if (id % 2 !== 0) await this.control(frames.PING, [id]);
        return;
      }
      case frames.SETTINGS:
        return this.#settings(payload);
      case frames.WINDOW_UPDATE:
        return this.#update(number(payload, 0), number(payload, 4));
      case frames.SYN_REPLY:
        throw new SpdyBroken('a reply to no stream');
      default:
        // GOAWAY: the connection ends when the client closes it. Others are to be ignored.
        return;
    }
  }

  async #open(payload: Buffer, flags: number): Promise<void> {
    const id = number(payload, 0);
    const headers = await this.#headers.read(rest(payload, 10));
    if (id % 2 === 0 || id <= this.#lastStream) throw new SpdyBroken(`a stream has the id ${id}`);
    this.#lastStream = id;
    if ((flags & UNIDIRECTIONAL) !== 0) {
      return await this.control(frames.RST_STREAM, [id, frames.PROTOCOL_ERROR]);
    }
    if (this.#leaving || this.#streams.size >= this.#options.maxStreams) {
      return await this.control(frames.RST_STREAM, [id, frames.REFUSED_STREAM]);
    }
    const stream = new SpdyStream(id, headers, this);
    this.#streams.set(id, stream);
    await this.send(frames.controlFrame(frames.SYN_REPLY, [id], this.#replies.next()));
    if ((flags & frames.FIN) !== 0) stream.finish();
    this.#options.onStream(stream);
  }

  async #data({ stream: id, flags, length }: { stream: number; flags: number; length: number }) {
    const stream = this.#streams.get(id);
    if (stream === undefined && (id === 0 || id > this.#lastStream)) {
      await this.control(frames.RST_STREAM, [id, frames.INVALID_STREAM]);
    }
    for (let left = length; left > 0; ) {
      const part = await this.#bytes.upTo(left);
      left -= part.length;
      if (stream === undefined) continue;
      await pingWhile(stream.deliver(part), () => this.#ping(), this.#options.pingMs);
    }
    this.#arrived += length;
    if (this.#arrived >= WINDOW_BYTES / 2) {
      // A connection has room as long as its streams have.
      await this.control(frames.WINDOW_UPDATE, [0, this.#arrived]);
      this.#arrived = 0;
    }
    if ((flags & frames.FIN) !== 0) stream?.finish();
  }

  /** A client that takes nothing gets none: the writes that wait for it fail when it is gone. */
  #ping(): void {
    if (this.#connection.output.writableNeedDrain) return;
    this.#pings += 2;
    void this.control(frames.PING, [this.#pings]);
  }

  #settings(payload: Buffer): void {
    const count = number(payload, 0);
    if (payload.length !== 4 + 8 * count) throw new SpdyBroken('settings have another length');
    for (let at = 4; at < payload.length; at += 8) {
      if (payload.readUIntBE(at + 1, 3) !== INITIAL_WINDOW) continue;
      this.#initialWindow = payload.readUInt32BE(at + 4) & MAX_WINDOW;
      this.#hasWindows = true;
    }
    this.#windows.emit('change');
  }

  #update(stream: number, bytes: number): void {
    this.#hasWindows = true;
    if (stream !== 0 && !this.#streams.has(stream)) return;
    const added = this.#addedTo(stream) + (bytes & MAX_WINDOW);
    if (!Number.isSafeInteger(added)) throw new SpdyBroken('a window is too large');
    this.#added.set(stream, added);
    this.#windows.emit('change');
  }

  /** The client is gone. Readers of its streams get what has arrived. */
  #lose(): void {
    this.#gone.abort();
    for (const stream of [...this.#streams.values()]) stream.abandon();
  }
}

function number(payload: Buffer, at: number): number {
  if (payload.length < at + 4) throw new SpdyBroken('a frame is too short');
  return payload.readUInt32BE(at) & MAX_WINDOW;
}

function rest(payload: Buffer, at: number): Buffer {
  if (payload.length < at) throw new SpdyBroken('a frame is too short');
  return payload.subarray(at);
}
