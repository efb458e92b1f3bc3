/**
 * Writes Vitest's results as a report, to the file that `A3S_TEST_REPORT` names.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { UserConsoleLog } from 'vitest';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';
import { UNFINISHED, withCrashes } from './results/crashes.ts';
import type { FileResult, TestResult } from './results/report.ts';
import { ROOT } from './run.ts';

const MILLISECONDS = 1000;

export default class FileReporter implements Reporter {
  /** What was printed, by the test that did. */
  readonly #logs = new Map<string, string>();
  #path = '';

  onInit(): void {
    const path = process.env['A3S_TEST_REPORT'];
    if (path === undefined) throw new Error('A3S_TEST_REPORT must name the file of the report');
    this.#path = path;
  }

  onUserConsoleLog({ taskId = '', content }: UserConsoleLog): void {
    this.#logs.set(taskId, (this.#logs.get(taskId) ?? '') + content);
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const files = modules.map((module) => this.#file(module));
    const report = withCrashes({ files, errors: errors.map(describe) });
    writeFileSync(this.#path, JSON.stringify(report, null, 2));
  }

  #file(module: TestModule): FileResult {
    const { collectDuration, prepareDuration, setupDuration, duration } = module.diagnostic();
    const suites = [...module.children.allSuites()];
    return {
      file: relative(ROOT, module.moduleId),
      seconds: (collectDuration + prepareDuration + setupDuration + duration) / MILLISECONDS,
      tests: [...module.children.allTests()].map((test) => this.#test(test)),
      errors: [...module.errors(), ...suites.flatMap((suite) => suite.errors())].map(describe),
    };
  }

  #test(test: TestCase): TestResult {
    const { state, errors = [] } = test.result();
    const output = [...errors.map(describe), this.#logs.get(test.id) ?? ''].join('\n');
    return {
      path: pathOf(test),
      // A test that did not come to its end did not pass.
      state: state === 'pending' ? 'failed' : state,
      output: state === 'pending' ? UNFINISHED : state === 'failed' ? output.trimEnd() : '',
    };
  }
}

function pathOf(test: TestCase): string[] {
  const path = [test.name];
  for (let above = test.parent; above.type === 'suite'; above = above.parent) {
    path.unshift(above.name);
  }
  return path;
}

function describe({ message, stack, name, diff }: SerializedError): string {
  const trace = stack ?? `${name ?? 'Error'}: ${message}`;
  const difference = typeof diff === 'string' ? diff : '';
  return `${trace.includes(message) ? trace : `${message}\n${trace}`}\n${difference}`.trimEnd();
}
