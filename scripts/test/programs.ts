/**
 * The inputs of the stages that start real programs: the boot artefacts, and one installation of
 * the product.
 *
 * @module
 */
import type { Installation } from '../../test/e2e/installation.ts';
import { prepareRun } from '../../test/e2e/known-accelerator.ts';
import { type Print, run } from './run.ts';

/** There, real programs wait for each other and for kernels, and a test may fail now and then. */
const REAL_PROGRAMS: readonly string[] = ['host', 'kvm', 'vm'];

export function needsPrograms(stage: string): boolean {
  return REAL_PROGRAMS.includes(stage);
}

/** Makes them while other stages run: the firmware alone is compiled for minutes. */
export class Programs {
  readonly #installing: Promise<Installation>;

  private constructor(installing: Promise<Installation>) {
    this.#installing = installing;
    // The caller that awaits it gets the error.
    installing.catch(() => undefined);
  }

  static start(print: Print): Programs {
    return new Programs(install(print));
  }

  /** Fails when they cannot be made. */
  async ready(): Promise<void> {
    await this.#installing;
  }

  async remove(): Promise<void> {
    const installation = await this.#installing.catch(() => undefined);
    installation?.remove();
  }
}

async function install(print: Print): Promise<Installation> {
  const code = await run({ argv: ['bash', 'scripts/setup.sh', '--tests'] }, print);
  if (code !== 0) throw new Error(`cannot set up what real programs need: status ${code}`);
  return await prepareRun();
}
