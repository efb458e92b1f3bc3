/**
 * Takes the ELF kernel out of a bzImage, by the x86 boot protocol's own header
 * (Documentation/arch/x86/boot.rst: `setup_sects`, `payload_offset`, `payload_length`).
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { hasPvhEntry } from './elf.ts';
import { runTool } from './tool.ts';

const SETUP_SECTS = 0x1f1;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
/** The first version of the protocol that describes the payload. */
const PAYLOAD_VERSION = 0x0208;
const SECTOR = 512;
const ZSTD_MAGIC = 0xfd2fb528;
const MAX_VMLINUX = 512 * 1024 * 1024;

/** The zstd frame in a bzImage, and the size of what it holds. */
export function bzImagePayload(bzImage: Buffer): { frame: Buffer; size: number } {
  if (
    bzImage.length < 0x1000 ||
    bzImage.toString('latin1', HEADER_MAGIC, HEADER_MAGIC + 4) !== 'HdrS'
  ) {
    throw unusable('it is no bzImage');
  }
  if (bzImage.readUInt16LE(VERSION) < PAYLOAD_VERSION)
    throw unusable('its boot protocol is too old');
  const setupSectors = bzImage.readUInt8(SETUP_SECTS) || 4;
  const start = (setupSectors + 1) * SECTOR + bzImage.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + bzImage.readUInt32LE(PAYLOAD_LENGTH);
  if (end > bzImage.length || end - start < 8) throw unusable('its payload lies outside of it');
  const payload = bzImage.subarray(start, end);
  if (payload.readUInt32LE(0) !== ZSTD_MAGIC)
    throw unusable('its payload is not compressed by zstd');
  // The build appends the size of the result to what the compressor wrote.
  const frame = payload.subarray(0, -4);
  const size = payload.readUInt32LE(payload.length - 4);
  if (size > MAX_VMLINUX) throw unusable(`its payload unpacks to ${size} bytes`);
  return { frame, size };
}

/** The ELF kernel, checked to have the entry point that QEMU's `-kernel` needs. */
export async function extractVmlinux(bzImage: Buffer): Promise<Buffer> {
  const { frame, size } = bzImagePayload(bzImage);
  const vmlinux = await runTool('zstd', ['-dc', '-q', '--memory=512MB'], {
    input: frame,
    outputBytes: size,
    remedy: 'Install the Debian package zstd.',
  });
  if (vmlinux.length !== size) {
    throw unusable(`its payload unpacks to ${vmlinux.length} bytes, it says ${size}`);
  }
  let bootable: boolean;
  try {
    bootable = hasPvhEntry(vmlinux);
  } catch (error) {
    throw unusable('its payload is no sound ELF file', error);
  }
  if (!bootable) throw unusable('its ELF kernel has no PVH entry point');
  return vmlinux;
}

function unusable(why: string, cause?: unknown): A3sError {
  return new A3sError('internal', `Cannot use the kernel: ${why}`, { cause });
}
