/**
 * The program `probe` of the fake agent's boxes: it does what a test wants next, so that health checks can be driven.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { FakeProgram } from './fake-process.ts';

const FOREVER = 2_147_483_647;

export class FakeProbe {
  /** What it exits with; `hang`: it runs until it is killed. */
  outcome: number | 'hang' = 0;
  /** What it writes first. */
  output = '';
  /** How often it was started, and how many of these run. */
  runs = 0;
  running = 0;

  readonly program: FakeProgram = async (context) => {
    this.runs += 1;
    this.running += 1;
    try {
      const { outcome } = this;
      if (this.output !== '') await context.stdout(this.output);
      if (outcome !== 'hang') return outcome;
      await delay(FOREVER, undefined, { signal: context.killed, ref: false });
      return 0;
    } finally {
      this.running -= 1;
    }
  };
}
