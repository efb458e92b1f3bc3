/**
 * Running the tools that boot artefacts are built with. Arguments are arrays; there is no shell.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { A3sError } from '../../errors.ts';

export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: Uint8Array;
  /** Largest standard output. */
  readonly outputBytes?: number;
  /** The remedy when the tool is missing or fails. */
  readonly remedy: string;
}

const OUTPUT_BYTES = 16 * 1024 * 1024;
const ERROR_BYTES = 4096;

/** The standard output of a tool that ends well; `tool-missing` or `internal` otherwise. */
export async function runTool(
  program: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<Buffer> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const limit = options.outputBytes ?? OUTPUT_BYTES;
  const output: Buffer[] = [];
  let size = 0;
  let complaint = '';
  child.stdout.on('data', (data: Buffer) => {
    size += data.length;
    if (size > limit) child.kill('SIGKILL');
    else output.push(data);
  });
  child.stderr.on('data', (data: Buffer) => {
    complaint = (complaint + data.toString('utf8')).slice(-ERROR_BYTES);
  });
  // A tool that exits early reports the reason by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input);
  let code: unknown;
  try {
    [code] = await once(child, 'close');
  } catch (error) {
    throw new A3sError('tool-missing', `Cannot run ${program}: it is not installed`, {
      remedy: options.remedy,
      cause: error,
    });
  }
  if (size > limit) throw failed(program, `its output exceeds ${limit} bytes`, options.remedy);
  if (code !== 0) {
    throw failed(program, `exit code ${String(code)}: ${complaint.trim()}`, options.remedy);
  }
  return Buffer.concat(output);
}

function failed(program: string, why: string, remedy: string): A3sError {
  return new A3sError('internal', `${program} failed: ${why}`, { remedy });
}
