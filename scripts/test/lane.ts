/**
 * Runs the stages, in lanes where there are VMs to boot and two processors.
 *
 * @module
 */
import { lanesOf } from './lanes.ts';
import type { Programs } from './programs.ts';
import { count, type StageReport } from './results/report.ts';
import type { Print } from './run.ts';
import type { Plan } from './selection/reach.ts';
import type { StageName } from './stage-names.ts';
import { runVmStage, STAGES, type VmStage, vmStageOf } from './stages.ts';

export interface LaneOptions {
  readonly print: Print;
  readonly processors: number;
  /** What the stages need. It may still be being built. */
  readonly programs: Pick<Programs, 'ready'>;
}

/** One report a stage. */
export async function runLanes(
  stages: readonly StageName[],
  plan: Plan,
  options: LaneOptions,
): Promise<StageReport[]> {
  const { front, beside } = lanesOf(stages, options.processors);
  const left = stages.includes('vm') ? vmStageOf(plan.vm ?? []) : NO_VM_STAGE;
  const lane = (name: string): Lane => new Lane(name, plan, options);
  const [first, second] = await Promise.all([
    lane('front').run(front, left.batches),
    beside === undefined ? [] : runBeside(lane, beside, left.batches),
  ]);
  const alone = await lane('front').runVms('alone', left.alone);
  return merged([...second, ...first, ...alone]);
}

/** Ends as two lanes: most of these stages have two workers, and one lane of VMs has one. */
async function runBeside(
  lane: (name: string) => Lane,
  names: readonly StageName[],
  batches: string[][],
): Promise<StageReport[]> {
  const stages = await lane('beside').run(names, []);
  const vms = [lane('beside'), lane('third')].map((each) => each.run([], batches));
  return [...stages, ...(await Promise.all(vms)).flat()];
}

const NO_VM_STAGE: VmStage = { batches: [], alone: [] };

class Lane {
  readonly #name: string;
  readonly #plan: Plan;
  readonly #options: LaneOptions;

  constructor(name: string, plan: Plan, options: LaneOptions) {
    this.#name = name;
    this.#plan = plan;
    this.#options = options;
  }

  /** Runs its stages, then takes files of the vm stage until the lanes have taken all. */
  async run(names: readonly StageName[], batches: string[][]): Promise<StageReport[]> {
    const reports: StageReport[] = [];
    for (const name of names) {
      if (name === 'vm') continue;
      const files = this.#plan[name] ?? [];
      reports.push(await this.#timed(name, name, (print) => STAGES[name]({ print, files })));
    }
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      reports.push(...(await this.runVms(this.#name, batch)));
    }
    return reports;
  }

  async runVms(lane: string, files: readonly string[]): Promise<StageReport[]> {
    if (files.length === 0) return [];
    return [await this.#timed('vm', `vm, ${lane}`, (print) => runVmStage(lane, files, print))];
  }

  /** A stage that cannot run has failed, and what comes after it goes on. */
  async #timed(stage: StageName, title: string, run: (print: Print) => Promise<StageReport>) {
    const printed: string[] = [];
    const say: Print = this.#name === 'front' ? this.#options.print : (text) => printed.push(text);
    say(`\n==> ${title}\n`);
    const started = performance.now();
    const report = await this.#options.programs
      .ready(stage)
      .then(() => run(say))
      .catch((error: unknown): StageReport => ({ stage, files: [], errors: [String(error)] }));
    const { passed, failed, skipped } = count([report]);
    const seconds = Math.round((performance.now() - started) / 1000);
    say(`    ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s\n`);
    this.#options.print(printed.join(''));
    return report;
  }
}

/** The parts of a stage are one report. */
export function merged(reports: readonly StageReport[]): StageReport[] {
  const stages = new Map<string, StageReport>();
  for (const report of reports) {
    const { files = [], errors = [] } = stages.get(report.stage) ?? {};
    stages.set(report.stage, {
      stage: report.stage,
      files: [...files, ...report.files],
      // What kept every part from running is one error.
      errors: [...new Set([...errors, ...report.errors])],
    });
  }
  return [...stages.values()];
}
