/**
 * HTTP/2 by hand, for tests: a guest that sends whatever bytes it likes on its control stream.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import type { FakeAgent } from './fake-agent.ts';

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  altSvc: 10,
  origin: 12,
  unknown: 0x77,
} as const;

const HEADER_BYTES = 9;
const PREFACE_BYTES = 24;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const ACK = 1;
/** `:status: 200` in HPACK's table of constants. */
export const STATUS_200 = Buffer.from([0x88]);

/** @param claimed the length that the frame says it has */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
  claimed = payload.length,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(claimed, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function setting(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return payload;
}

/** One connection of a host. */
export class RawPeer {
  readonly #stream: Duplex;
  readonly #requests: number[] = [];
  #bytes = Buffer.alloc(0);
  #started = false;
  #notify: () => void = () => undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('error', () => stream.destroy());
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('close', () => this.#notify());
  }

  get gone(): boolean {
    return this.#stream.destroyed;
  }

  /** Settles when the host has taken it, or is gone. */
  async write(bytes: Buffer): Promise<void> {
    if (this.gone) return;
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve);
      this.#stream.write(bytes, () => {
        this.#stream.off('close', resolve);
        resolve();
      });
    });
  }

  /** The stream of the host's next request; undefined when it is gone. */
  async request(): Promise<number | undefined> {
    for (;;) {
      const next = this.#requests.shift();
      if (next !== undefined || this.gone) return next;
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  async answer(stream: number, body: unknown): Promise<void> {
    await this.write(frame(TYPE.headers, END_HEADERS, stream, STATUS_200));
    await this.write(frame(TYPE.data, END_STREAM, stream, Buffer.from(JSON.stringify(body))));
  }

  /** Finds where requests begin; all else that the host says is passed over. */
  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#started && this.#bytes.length >= PREFACE_BYTES) {
      this.#started = true;
      this.#bytes = this.#bytes.subarray(PREFACE_BYTES);
    }
    while (this.#started && this.#bytes.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      if (this.#bytes[3] === TYPE.headers) this.#requests.push(this.#bytes.readUInt32BE(5));
      this.#bytes = this.#bytes.subarray(end);
    }
    this.#notify();
  }
}

/** A confidential guest that greets its host, and does `attack` in answer to the launch spec. */
export function rawGuest(attack: (peer: RawPeer, stream: number) => Promise<void>) {
  return (_: FakeAgent, duplex: Duplex): void => {
    const peer = new RawPeer(duplex);
    void (async () => {
      await peer.write(frame(TYPE.settings, 0, 0));
      const hello = await peer.request();
      if (hello === undefined) return;
      const protocol = { minimum: 1, maximum: 3 };
      const words = { agent: 'raw', kernel: 'raw', bootId: 'raw' };
      await peer.answer(hello, { protocol, ...words, tee: 'simulated' });
      const spec = await peer.request();
      if (spec !== undefined) await attack(peer, spec);
    })();
  };
}
