/**
 * Opens the processor of an installation.
 *
 * @module
 */
import { createSimulatedState } from './authorities/make-authorities.ts';
import { type SimulatedProcessorOptions, SimulatedSecureProcessor } from './processor/processor.ts';
import { loadOrCreate } from './state-file.ts';

/**
 * Opens the simulated secure processor whose state lies in a file, and makes it at first use, which
 * takes seconds.
 *
 * The file (0600) and its directory (0700, made where it is missing) are its owner's alone. Of
 * several callers at once one makes the state, and all get the same processor.
 *
 * @throws {AttestationError} `simulated-state` where the file is open to others, somebody else's,
 *   damaged or of another version, and where it can be neither read nor made.
 */
export async function openSimulatedProcessor(
  { stateFile }: { readonly stateFile: string },
  options: SimulatedProcessorOptions = {},
): Promise<SimulatedSecureProcessor> {
  const created = () => createSimulatedState(new Date());
  return new SimulatedSecureProcessor(await loadOrCreate(stateFile, created), options);
}
