/**
 * A small OVMF image with the parts that a launch digest needs: a footer table and SEV metadata.
 *
 * @module
 */

const METADATA = 'dc886566-984a-4798-a75e-5585a7bf67cc';
const HASH_TABLE = '7255371f-3a3b-4b04-927b-1da6efa8d454';
const RESET_BLOCK = '00f771de-1a7e-4fcb-890e-68c77e2fb44e';
const FOOTER = '96b582de-1fb2-45f7-baea-a366c55a082d';

/** Address, size and type of each section; types as EDK II numbers them. */
const SECTIONS = [
  [0x80_0000, 0x9000, 1],
  [0x80_d000, 0x1000, 2],
  [0x80_e000, 0x1000, 3],
  [0x81_0000, 0x1000, 0x10],
].flat();

/** One page. The marker is a byte that distinguishes images. */
export function ovmfImage(marker = 0x90): Buffer {
  const image = Buffer.alloc(4096);
  image.writeUInt8(marker);
  words(0x5645_5341, 16 + SECTIONS.length * 4, 1, SECTIONS.length / 3, ...SECTIONS).copy(
    image,
    0x800,
  );
  const entries = Buffer.concat([
    entry(METADATA, words(0x800)),
    entry(HASH_TABLE, words(0x81_0c00, 0x400)),
    entry(RESET_BLOCK, words(0x80_b004)),
  ]);
  const footer = entry(FOOTER, Buffer.alloc(0), entries.length + 18);
  const table = Buffer.concat([entries, footer]);
  table.copy(image, image.length - 32 - table.length);
  return image;
}

/** Entries are read from their end: data, length of all of it, name. */
function entry(guid: string, data: Buffer, length = data.length + 18): Buffer {
  const tail = Buffer.alloc(2);
  tail.writeUInt16LE(length);
  return Buffer.concat([data, tail, guidBytes(guid)]);
}

function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).swap32();
  bytes.subarray(4, 8).swap16();
  return bytes;
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}
