/**
 * Blocks of headers (SPDY/3, 2.6.10): names and values, compressed in one stream of zlib for each
 * direction of a connection.
 *
 * @module
 */
import { createInflate, type Inflate } from 'node:zlib';
import { SpdyBroken } from './broken.ts';
import { DICTIONARY } from './dictionary.ts';

/** Names are in lower case. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** A block of a stream of Kubernetes has a hundred bytes or two. */
const MAX_BLOCK = 16 * 1024;
const MAX_HEADERS = 64;

/** Reads the blocks of one connection, each when the one before it was read. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY });
  #failed: (error: Error) => void = () => undefined;
  #parts: Buffer[] = [];
  #size = 0;

  constructor() {
    this.#inflate.on('error', () => this.#failed(new SpdyBroken('headers are no stream of zlib')));
    this.#inflate.on('data', (bytes: Buffer) => {
      this.#size += bytes.length;
      if (this.#size <= MAX_BLOCK) this.#parts.push(bytes);
      else {
        this.#inflate.destroy();
        this.#failed(new SpdyBroken(`headers take more than ${MAX_BLOCK} bytes`));
      }
    });
  }

  /** @throws SpdyBroken */
  async read(compressed: Buffer): Promise<SpdyHeaders> {
    this.#parts = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      this.#failed = reject;
      this.#inflate.write(compressed, () => {
        // It emits what is left.
        this.#inflate.read();
        resolve();
      });
    });
    return parse(Buffer.concat(this.#parts));
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function parse(block: Buffer): SpdyHeaders {
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyBroken('headers end too early');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new SpdyBroken('headers end too early');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const count = number();
  if (count > MAX_HEADERS) throw new SpdyBroken(`a block has more than ${MAX_HEADERS} headers`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index += 1) headers.set(text().toLowerCase(), text());
  if (at !== block.length) throw new SpdyBroken('bytes follow the headers');
  return headers;
}

/** The beginning of a stream of zlib (RFC 1950) by SPDY's dictionary, with its checksum. */
const ZLIB_HEADER = Buffer.from('78bbe3c6a7c2', 'hex');
/**
 * A block without headers, as it is stored in a stream of deflate (RFC 1951, 3.2.4), and an empty
 * block behind it. Go's reader gives out what it has only at an empty block.
 */
const NO_HEADERS = Buffer.from('000400fbff00000000' + '000000ffff', 'hex');

/** Writes blocks without headers: no reply to Kubernetes' clients has any. */
export class EmptyHeaders {
  #begun = false;

  next(): Buffer {
    if (this.#begun) return NO_HEADERS;
    this.#begun = true;
    return Buffer.concat([ZLIB_HEADER, NO_HEADERS]);
  }
}
