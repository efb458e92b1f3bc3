/**
 * What the memory of a builder depends on: another digest of it, and the builder boots.
 *
 * @module
 */
import type { CreateRequest } from '../boxes/create/create-request.ts';
import type { Services } from '../boxes/services/services.ts';
import { askedCpus, vmCpus } from '../boxes/spec/resources.ts';
import { digestOf, keyOf } from '../templates/key.ts';

/** Changes with the form of the files, and with the devices of a microVM that boots. */
const SCHEMA = 'a3s-box/saved-builder/v1';

/**
 * Kernel, initrd, QEMU and its firmware, the processor as QEMU expands it, the boot set, and the
 * request of the box, which names the builder's image by its digest.
 *
 * @param request with an authority that is the same for all
 * @returns undefined where the engine saves no microVM of that shape
 */
export async function savedKey(
  { boot, engine }: Pick<Services, 'boot' | 'engine'>,
  request: CreateRequest,
): Promise<string | undefined> {
  const bootSet = await boot.current(undefined);
  const cpus = vmCpus(askedCpus(request));
  const keyed = await keyOf(engine, { cpus, boot: await boot.open(bootSet) });
  if (keyed === undefined) return undefined;
  return digestOf({
    ...keyed.inputs,
    ...{ format: SCHEMA, 'boot set': bootSet, request: JSON.stringify(request) },
  });
}
