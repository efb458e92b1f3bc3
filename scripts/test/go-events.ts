/**
 * Reads what `go test -json` prints: an event a line, and errors of the build between them.
 *
 * @module
 */
import type { FileResult, TestResult } from './results/report.ts';

interface GoEvent {
  readonly Action: string;
  readonly Package?: string;
  readonly Test?: string;
  readonly Output?: string;
  readonly Elapsed?: number;
}

const STATES: Readonly<Record<string, TestResult['state']>> = {
  pass: 'passed',
  fail: 'failed',
  skip: 'skipped',
};

export class GoEvents {
  readonly #output = new Map<string, string>();
  readonly #tests = new Map<string, TestResult[]>();
  readonly #files: FileResult[] = [];

  /** Takes a line and returns what a reader of the run should see of it. */
  add(line: string): string {
    const event = parse(line);
    if (event === undefined) return `${line}\n`;
    const { Action, Package, Test, Output = '' } = event;
    // Errors of the build name an import path, and no package.
    if (Package === undefined) return Output;
    const key = `${Package} ${Test ?? ''}`;
    if (Action === 'output') this.#output.set(key, (this.#output.get(key) ?? '') + Output);
    const state = STATES[Action];
    if (state === undefined) return '';
    const output = this.#output.get(key) ?? '';
    if (Test === undefined) return this.#endPackage(Package, state, output, event.Elapsed ?? 0);
    const tests = this.#tests.get(Package) ?? [];
    this.#tests.set(Package, tests);
    tests.push({ path: [Test], state, output: state === 'failed' ? output : '' });
    if (state === 'passed') return '';
    return `${state === 'failed' ? '✗' : '-'} ${key}\n${output}`;
  }

  /** The packages that came to their end. */
  files(): readonly FileResult[] {
    return this.#files;
  }

  #endPackage(file: string, state: string, output: string, seconds: number): string {
    const tests = this.#tests.get(file) ?? [];
    const silent = state === 'failed' && !tests.some((test) => test.state === 'failed');
    this.#files.push({ file, seconds, tests, errors: silent ? [`failed\n${output}`] : [] });
    if (state === 'failed') return `✗ ${file}\n${output}`;
    return state === 'passed' ? `✓ ${file}\n` : '';
  }
}

function parse(line: string): GoEvent | undefined {
  try {
    return JSON.parse(line) as GoEvent;
  } catch {
    return undefined;
  }
}
