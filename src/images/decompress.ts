/**
 * Decompresses by content: the first bytes of a stream decide the format, not the media type.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { peek } from '../async/peek.ts';
import { A3sError } from '../errors.ts';
import { decompressBy, type SpawnInJail } from '../jail/decoder.ts';
import { corrupt } from '../oci/corrupt.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

export interface Expansion {
  /** Names the input in errors. */
  readonly what: string;
  /** Bytes that may come out; more is `too-large`. */
  readonly maxBytes: number;
  readonly spawn: SpawnInJail;
  /** Where gzip is decoded: `here` is only for a process that is in a jail itself. */
  readonly gunzip: 'jail' | 'here';
}

const SNIFFED = 6;
const UNSUPPORTED: readonly (readonly [string, string])[] = [
  ['fd377a585a00', 'xz'],
  ['425a68', 'bzip2'],
  ['04224d18', 'lz4'],
];

/**
 * What the first bytes of a stream say.
 *
 * @throws A3sError `invalid-image` for a compression that images do not have
 */
export function compressionOf(head: Uint8Array, what: string): Compression {
  const hex = Buffer.from(head.subarray(0, SNIFFED)).toString('hex');
  if (hex.startsWith('1f8b')) return 'gzip';
  // A frame, or a skippable one before it.
  if (hex.startsWith('28b52ffd') || /^5.2a4d18/.test(hex)) return 'zstd';
  const other = UNSUPPORTED.find(([magic]) => hex.startsWith(magic));
  if (other === undefined) return 'none';
  throw corrupt(what, `it is compressed with ${other[1]}; plain, gzip and zstd are supported`);
}

/** The decompressed bytes of `source`, in order, bounded. */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  expansion: Expansion,
): AsyncGenerator<Uint8Array> {
  const { what, maxBytes } = expansion;
  let total = 0;
  for await (const chunk of expand(source, expansion)) {
    total += chunk.length;
    if (total > maxBytes) {
      throw new A3sError(
        'too-large',
        `Cannot read ${what}: it holds more than ${maxBytes} bytes once decompressed`,
      );
    }
    yield chunk;
  }
}

async function* expand(
  source: AsyncIterable<Uint8Array>,
  { what, spawn, gunzip: where }: Expansion,
): AsyncGenerator<Uint8Array> {
  const { decided, whole } = await peek(source, SNIFFED, (head) => compressionOf(head, what));
  const damaged = (reason: string) => corrupt(what, reason);
  switch (decided) {
    case 'none':
      return yield* whole;
    case 'gzip':
      if (where === 'here') return yield* gunzip(whole, what);
      return yield* decompressBy('gzip', whole, damaged, spawn);
    case 'zstd':
      return yield* decompressBy('zstd', whole, damaged, spawn);
  }
}

async function* gunzip(
  source: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const feeding = pipeline(Readable.from(source, { objectMode: false }), gunzip).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    yield* gunzip;
  } catch (error) {
    throw explain(error, what);
  } finally {
    gunzip.destroy();
    await feeding;
  }
}

function explain(error: unknown, what: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('Z_')) return error;
  const reason =
    code === 'Z_BUF_ERROR' ? 'its gzip data ends too early' : 'its gzip data is damaged';
  return corrupt(what, reason);
}
