/**
 * The simulated secure processor of this installation. Its code is loaded when the first simulated
 * VM needs it, so it costs neither the server's start nor a plain box.
 *
 * @module
 */
import type { SimulatedSecureProcessor } from '@a3s-box/attestation/simulated';
import { A3sError } from '../../errors.ts';

export class InstalledProcessor {
  readonly #stateFile: string;
  #opened: Promise<SimulatedSecureProcessor> | undefined;

  /** @param stateFile such as `A3S_HOME/simulated/processor.json`; made at first use */
  constructor(stateFile: string) {
    this.#stateFile = stateFile;
  }

  /** @throws A3sError `state-unusable` */
  open(): Promise<SimulatedSecureProcessor> {
    this.#opened ??= open(this.#stateFile).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}

async function open(stateFile: string): Promise<SimulatedSecureProcessor> {
  const { openSimulatedProcessor } = await import('@a3s-box/attestation/simulated');
  try {
    return await openSimulatedProcessor({ stateFile });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const remedy = cause instanceof Error && 'remedy' in cause ? cause.remedy : undefined;
    throw new A3sError('state-unusable', message, {
      cause,
      remedy: typeof remedy === 'string' ? remedy : undefined,
    });
  }
}
