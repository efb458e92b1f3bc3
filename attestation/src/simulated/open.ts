/**
 * Opens the processor of an installation.
 *
 * @module
 */
import { createState } from './authorities.ts';
import { type SimulatedProcessorOptions, SimulatedSecureProcessor } from './processor.ts';
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
  const created = () => createState(new Date());
  return new SimulatedSecureProcessor(await loadOrCreate(stateFile, created), options);
}

/** A processor whose state is in memory alone: gone with the process. Takes seconds. */
export async function createSimulatedProcessor(
  options: SimulatedProcessorOptions = {},
): Promise<SimulatedSecureProcessor> {
  return new SimulatedSecureProcessor(await createState(new Date()), options);
}
