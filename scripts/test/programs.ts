/**
 * The inputs of the stages: the tools of the tests, and for those that start real programs the boot
 * artefacts and one installation of the product.
 *
 * @module
 */
import type { Installation } from '../../test/e2e/installation.ts';
import { prepareRun } from '../../test/e2e/known-accelerator.ts';
import { type Print, run } from './run.ts';
import type { StageName } from './stage-names.ts';

/** There, real programs wait for each other and for kernels, and a test may fail now and then. */
const REAL_PROGRAMS: readonly string[] = ['host', 'kvm', 'vm'];

/** What these need is there before the runner starts. */
const BARE: readonly string[] = ['check', 'go'];

export function needsPrograms(stage: string): boolean {
  return REAL_PROGRAMS.includes(stage);
}

/**
 * Makes them while other stages run: the add-on is compiled for a minute, the firmware for minutes.
 */
export class Programs {
  readonly #tools: Promise<void>;
  readonly #installing: Promise<Installation | undefined>;

  private constructor(tools: Promise<void>, installing: Promise<Installation | undefined>) {
    this.#tools = tools;
    this.#installing = installing;
    // The caller that awaits one gets its error.
    tools.catch(() => undefined);
    installing.catch(() => undefined);
  }

  /** Makes what these stages need. */
  static start(stages: readonly StageName[], print: Print): Programs {
    const bare = stages.every((stage) => BARE.includes(stage));
    const tools = bare ? Promise.resolve() : setUp('--test-tools', print);
    const installing = stages.some(needsPrograms)
      ? tools.then(() => install(print))
      : Promise.resolve(undefined);
    return new Programs(tools, installing);
  }

  /** Waits for what a stage needs; fails when that cannot be made. */
  async ready(stage: StageName): Promise<void> {
    if (needsPrograms(stage)) await this.#installing;
    else if (!BARE.includes(stage)) await this.#tools;
  }

  async remove(): Promise<void> {
    const installation = await this.#installing.catch(() => undefined);
    installation?.remove();
  }
}

async function install(print: Print): Promise<Installation> {
  await setUp('--tests', print);
  return await prepareRun();
}

async function setUp(what: string, print: Print): Promise<void> {
  const code = await run({ argv: ['bash', 'scripts/setup.sh', what] }, print);
  if (code !== 0) throw new Error(`cannot set up what the tests need: status ${code}`);
}
