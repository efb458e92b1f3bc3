/**
 * Checks the kernel of arm64 by its own header (Documentation/arch/arm64/booting.rst). QEMU loads
 * it as it is.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const HEADER_BYTES = 64;
const MAGIC_AT = 56;
const MAGIC = 0x644d5241;
const FLAGS_AT = 24;
const BIG_ENDIAN = 1n;
/** Where a compressed kernel that unpacks itself as an EFI program says so. */
const ZBOOT_AT = 4;

/** @throws A3sError `internal` for what is not an uncompressed, little-endian kernel */
export function checkArm64Image(image: Buffer): void {
  if (image.length < HEADER_BYTES) throw unusable('it is too short');
  if (image.toString('latin1', ZBOOT_AT, ZBOOT_AT + 4) === 'zimg') {
    throw unusable('it is compressed, and starts by EFI alone');
  }
  if (image.readUInt32LE(MAGIC_AT) !== MAGIC) throw unusable('it is no Image of arm64');
  if ((image.readBigUInt64LE(FLAGS_AT) & BIG_ENDIAN) !== 0n) throw unusable('it is big-endian');
}

function unusable(why: string): A3sError {
  return new A3sError('internal', `Cannot use the kernel of arm64: ${why}`);
}
