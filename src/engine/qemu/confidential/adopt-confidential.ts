/**
 * Adopts the secure processor of a confidential VM that an earlier server launched, where the
 * processor is simulated.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import { readGuestFile } from '../../secure-processor/guest-file.ts';
import { ProcessorPort } from '../../secure-processor/port.ts';
import type { InstalledProcessor } from '../../secure-processor/processor.ts';
import type { ConfidentialLaunch } from '../../vm/confidential-launch.ts';
import { vmmSockets } from '../command-line/arguments.ts';
import type { ConfidentialParts } from '../vm.ts';

/**
 * @returns undefined for a VM that is not confidential
 * @throws A3sError `state-unusable` where no processor can serve its guest any more
 */
export async function adoptConfidential(
  id: string,
  runtimeDir: string,
  launch: Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'> | undefined,
  processor: InstalledProcessor,
): Promise<ConfidentialParts | undefined> {
  if (launch === undefined) return undefined;
  if (launch.tee === 'snp') return { port: undefined, launched: undefined };
  const kept = await readGuestFile(launch.guestStatePath, id);
  const opened = await processor.open();
  try {
    const port = new ProcessorPort(vmmSockets(runtimeDir).processor, opened.resume(kept));
    return { port, launched: undefined };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('state-unusable', message, { cause });
  }
}
