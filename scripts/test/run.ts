/**
 * Runs the programs of a stage.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(import.meta.dirname, '../..');

/** Where the reports of a run lie. */
export const REPORTS = join(ROOT, 'build/test');

/** Takes what a stage prints. */
export type Print = (text: string) => void;

export interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end and returns its exit status; a signal counts as failure. */
export function run(program: Program, print: Print): Promise<number> {
  const child = start(program);
  child.stdout.on('data', (text: string) => print(text));
  child.stderr.on('data', (text: string) => print(text));
  return ended(child);
}

/** The same, for a program whose standard output is read line by line. */
export async function runLines(
  program: Program,
  print: Print,
  onLine: (line: string) => void,
): Promise<number> {
  const child = start(program);
  child.stderr.on('data', (text: string) => print(text));
  const lines = createInterface({ input: child.stdout });
  const code = ended(child);
  for await (const line of lines) onLine(line);
  return code;
}

function start({ argv: [program, ...args], cwd = ROOT, env = {} }: Program) {
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return child;
}

function ended(child: ReturnType<typeof start>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
