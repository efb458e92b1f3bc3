/**
 * Runs a program of the system to its end, in a network namespace where one is named.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { A3sError } from '../../errors.ts';
import { findTool, type Tool } from '../../jail/tools.ts';

/** Each of these programs takes milliseconds; a busy host may take seconds. */
const DEADLINE_MS = 60_000;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** Where bwrap reads a filter of system calls. */
export const FILTER = 9;

export interface ProgramInput {
  /** The path of the network namespace that it runs in. Absent: the host's own. */
  readonly namespace?: string;
  readonly input?: string | Buffer;
  /** Whether it reads `input` from the descriptor {@link FILTER}, and nothing from its own. */
  readonly asFilter?: boolean;
  /** In octal digits. Absent: this process's own. */
  readonly umask?: string;
}

/**
 * @returns what it printed
 * @throws A3sError `network-failed` with the last line of its standard error where its status is
 * not 0; `tool-missing`
 */
export async function runProgram(
  tool: Tool | `/${string}`,
  args: readonly string[],
  { namespace, input = '', umask, asFilter = false }: ProgramInput = {},
): Promise<string> {
  const path = isPath(tool) ? tool : await findTool(tool);
  const first = [
    ...(umask === undefined ? [] : [`umask ${umask}`]),
    ...(asFilter ? [`exec ${FILTER}<&0 </dev/null`] : []),
  ];
  const prepared =
    first.length === 0
      ? [path, ...args]
      : ['/bin/sh', '-c', [...first, 'exec "$0" "$@"'].join(' && '), path, ...args];
  const [program, ...all] =
    namespace === undefined
      ? prepared
      : [await findTool('nsenter'), `--net=${namespace}`, '--', ...prepared];
  const child = spawn(program ?? path, all, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH },
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  // A program that ends early closes its input; its status says why.
  child.stdin.on('error', () => undefined).end(input);
  const ended: Promise<unknown[]> = once(child, 'close');
  const [out, complaint, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]);
  if (code === 0) return out;
  const why = lastLine(complaint) || lastLine(out) || `it ended with ${code ?? signal}`;
  throw new A3sError('network-failed', `Cannot set up the network: ${tool}: ${why}`, {
    remedy: 'See a3s-box info for what this host lacks.',
  });
}

function isPath(tool: Tool | `/${string}`): tool is `/${string}` {
  return tool.startsWith('/');
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.slice(0, 400) ?? '';
}
