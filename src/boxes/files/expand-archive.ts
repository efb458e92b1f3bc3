/**
 * Expands what clients compress archives with, and the agent cannot read.
 *
 * @module
 */
import { peek } from '../../async/peek.ts';
import { A3sError } from '../../errors.ts';
import { type Decoder, decompressBy, type SpawnInJail } from '../../jail/decoder.ts';
import { spawnInJail } from '../../jail/spawn.ts';

const SNIFFED = 6;

/**
 * An archive that was compressed with xz or zstd, as it was before; any other as it is: the agent
 * expands gzip and bzip2. How much comes out is bounded by what the box's disk holds.
 *
 * @throws A3sError `invalid-argument` where it is damaged, `tool-missing`
 */
export async function* expandArchive(
  archive: AsyncIterable<Uint8Array>,
  spawn: SpawnInJail = spawnInJail,
): AsyncGenerator<Uint8Array, void, void> {
  const { decided, whole } = await peek(archive, SNIFFED, decoderOf);
  if (decided === undefined) yield* whole;
  else yield* decompressBy(decided, whole, damaged, spawn);
}

function decoderOf(head: Buffer): Decoder | undefined {
  const hex = head.subarray(0, SNIFFED).toString('hex');
  if (hex === 'fd377a585a00') return 'xz';
  // A frame, or a skippable one before it.
  return hex.startsWith('28b52ffd') || /^5.2a4d18/.test(hex) ? 'zstd' : undefined;
}

function damaged(reason: string): A3sError {
  return new A3sError('invalid-argument', `Cannot extract the archive: ${reason}`, {
    remedy: 'Compress it again, or send it plain.',
  });
}
