/**
 * Turns the layers of one disk into an EROFS image: one pass to learn and check the files, one to
 * write their data, which reads what the first one kept where there is room for that.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { SpawnInJail } from '../../jail/decoder.ts';
import { corrupt } from '../../oci/corrupt.ts';
import { type Digest, Digester } from '../../oci/digest.ts';
import { ByteReader } from '../byte-reader.ts';
import { decompress } from '../decompress.ts';
import type { DiskBudget } from '../disk-budget.ts';
import { ErofsWriter } from '../erofs/image-writer.ts';
import type { PositionedFile } from '../erofs/sparse-writer.ts';
import type { Limits } from '../limits.ts';
import { readTar } from '../tar/read-tar.ts';
import {
  type DirectoryNode,
  hasImplicit,
  implicitDirectory,
  inheritAttributes,
  mergeOver,
} from '../tree/tree.ts';
import { followLinks } from './follow-links.ts';
import { LayerBudget, scanLayer } from './scan.ts';
import { Scratch, type ScratchFile } from './scratch.ts';

export interface LayerSource {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** The blob from its first byte, as often as it is asked for. */
  open(): AsyncIterable<Uint8Array>;
}

export interface ConvertOptions {
  readonly limits: Limits;
  /** Starts `zstd`: beside this code in its jail. */
  readonly spawn: SpawnInJail;
  /** Saves a second decompression. */
  readonly scratch?: ScratchFile;
}

/** What a disk is made from. */
export interface DiskSource {
  /** Merged into one where there are several; lowest first. */
  readonly layers: readonly LayerSource[];
  /**
   * The layers below, for a layer that does not describe all of its directories; undefined where a
   * layer has to describe all of them.
   */
  readonly below: readonly LayerSource[] | undefined;
}

/**
 * Writes an image.
 *
 * @param file empty and open for writing; what is in it after an error is of no use
 * @returns whether it was written: not when a directory's attributes depend on what lies `below`
 * and that is undefined
 * @throws A3sError `invalid-image` when a layer is malformed or is not what its diff ID says,
 * `too-large`, `disk-full`
 */
export async function convertLayers(
  { layers, below }: DiskSource,
  file: PositionedFile,
  budget: DiskBudget,
  options: ConvertOptions,
): Promise<boolean> {
  const scratch = options.scratch === undefined ? undefined : new Scratch(options.scratch, budget);
  const root = await readTree(layers, options, scratch);
  if (layers.length === 1) {
    if (below !== undefined) {
      const lower = await readMerged(below, options);
      followLinks(root, lower, `layer ${layers[0]?.diffId}`);
      inheritAttributes(root, lower);
    } else if (hasImplicit(root)) return false;
  }
  const writer = new ErofsWriter(root, file, budget);
  if (scratch?.complete === true) await copyData(writer, scratch);
  else await readDataAgain(writer, layers, options);
  await writer.finish();
  return true;
}

async function copyData(writer: ErofsWriter, scratch: Scratch): Promise<void> {
  await scratch.finish();
  for (let file = writer.next; file !== undefined; file = writer.next) {
    await writer.writeData(scratch.read(file.layer, file.entry, file.size));
  }
}

async function readDataAgain(
  writer: ErofsWriter,
  layers: readonly LayerSource[],
  options: ConvertOptions,
): Promise<void> {
  for (const [index, layer] of layers.entries()) {
    await withLayer(layer, options, async (reader) => {
      let entryIndex = 0;
      for await (const entry of readTar(reader, options.limits.layerEntries)) {
        const { next } = writer;
        if (next?.layer === index && next.entry === entryIndex) await writer.writeData(entry.body);
        entryIndex += 1;
      }
    });
  }
}

/** Reads a layer to its end and checks that it is what its diff ID says. */
export async function verifyLayer(layer: LayerSource, options: ConvertOptions): Promise<void> {
  await withLayer(layer, options, async (reader) => {
    while ((await reader.chunk(Number.MAX_SAFE_INTEGER)) !== undefined);
  });
}

async function readTree(
  layers: readonly LayerSource[],
  options: ConvertOptions,
  scratch: Scratch | undefined,
): Promise<DirectoryNode> {
  const [only, ...others] = layers;
  // Merged layers have nothing below them; a layer of its own keeps what it hides.
  if (only === undefined || others.length > 0) return await readMerged(layers, options, scratch);
  const budget = new LayerBudget(options.limits);
  return await withLayer(only, options, (reader) => scanLayer(reader, 0, budget, scratch));
}

async function readMerged(
  layers: readonly LayerSource[],
  options: ConvertOptions,
  scratch?: Scratch,
): Promise<DirectoryNode> {
  const budget = new LayerBudget(options.limits);
  const root = implicitDirectory();
  for (const [index, layer] of layers.entries()) {
    const upper = await withLayer(layer, options, (reader) =>
      scanLayer(reader, index, budget, scratch),
    );
    followLinks(upper, root, `layer ${layer.diffId}`);
    mergeOver(root, upper);
  }
  return root;
}

/** Hands the decompressed layer to `use`, which reads it to its end, and checks the diff ID. */
async function withLayer<T>(
  layer: LayerSource,
  { limits, spawn }: ConvertOptions,
  use: (reader: ByteReader) => Promise<T>,
): Promise<T> {
  const what = `layer ${layer.diffId}`;
  const digester = new Digester();
  const allowed = Math.max(limits.freeExpansion, layer.size * limits.expansionRatio);
  async function* hashed(): AsyncGenerator<Uint8Array> {
    const source = decompress(layer.open(), {
      what,
      maxBytes: limits.layerBytes,
      spawn,
      gunzip: 'here',
    });
    let total = 0;
    for await (const chunk of source) {
      total += chunk.length;
      if (total > allowed) throw bomb(what, limits);
      digester.update(chunk);
      yield chunk;
    }
  }
  const reader = new ByteReader(hashed(), what);
  try {
    const result = await use(reader);
    const digest = digester.digest();
    if (digest !== layer.diffId) {
      throw corrupt(what, `its content has the digest ${digest}`);
    }
    return result;
  } finally {
    await reader.close();
  }
}

function bomb(what: string, limits: Limits): A3sError {
  return new A3sError(
    'invalid-image',
    `Cannot use ${what}: it grows to more than ${limits.expansionRatio} times its size, as a decompression bomb does`,
  );
}
