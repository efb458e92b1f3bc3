/**
 * The program `probe` of the fake agent's boxes: it does what a test wants next, so that health
 * checks can be driven.
 *
 * @module
 */
import type { FakeProgram } from './fake-process.ts';

export class FakeProbe {
  /** What it exits with; `hang`: it runs until it is killed, or gets a signal to end. */
  outcome: number | 'hang' = 0;
  /** What it writes first. */
  output = '';
  /** How often it was started, and how many of these run. */
  runs = 0;
  running = 0;
  readonly #hanging = new Set<(exitCode: number) => void>();

  readonly program: FakeProgram = async (context) => {
    this.runs += 1;
    this.running += 1;
    try {
      const { outcome } = this;
      if (this.output !== '') await context.stdout(this.output);
      if (outcome !== 'hang') return outcome;
      return await new Promise<number>((resolve) => {
        this.#hanging.add(resolve);
        context.killed.addEventListener('abort', () => resolve(0));
      });
    } finally {
      this.running -= 1;
    }
  };

  /** Ends those that hang. */
  end(exitCode: number): void {
    for (const resolve of this.#hanging) resolve(exitCode);
    this.#hanging.clear();
  }
}
