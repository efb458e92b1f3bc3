/**
 * Pushes a blob from memory to a registry.
 *
 * @module
 */
import type { BlobDescriptor, Repository } from '../registry/registry.ts';

/** @throws A3sError `registry-…` */
export async function putBytes(
  repository: Repository,
  descriptor: BlobDescriptor,
  bytes: Buffer,
): Promise<void> {
  await repository.putBlob(descriptor, (offset) => once(bytes.subarray(offset)));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
