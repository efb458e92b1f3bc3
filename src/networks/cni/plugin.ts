/**
 * Runs one plugin of CNI: a program of the node that root has installed (SPEC.md, section 2).
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS';

/** The network namespace and the device that a plugin acts on. */
export interface CniTarget {
  readonly container: string;
  /** Path of the namespace; empty: it is gone, as after a reboot. */
  readonly namespace: string;
  readonly device: string;
  /** `NAME=VALUE` pairs, separated by semicolons. */
  readonly args: string;
}

export interface PluginCall {
  readonly command: CniCommand;
  readonly directory: string;
  readonly type: string;
  /** Absent for what concerns the network as a whole. */
  readonly target?: CniTarget;
  /** The configuration that the plugin reads. */
  readonly config: unknown;
}

const DEADLINE_MS = 90_000;
const MOST_BYTES = 1024 * 1024;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

const Failure = z.looseObject({
  code: z.int(),
  msg: z.string(),
  details: z.string().optional(),
});

/**
 * @returns what the plugin printed
 * @throws A3sError `network-failed` with what the plugin says, or after the deadline, when it is
 * killed with the programs that it has started
 */
export async function runPlugin(call: PluginCall, deadlineMs = DEADLINE_MS): Promise<string> {
  const { command, directory, type, target, config } = call;
  const child = spawn(join(directory, type), [], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH,
      CNI_COMMAND: command,
      CNI_PATH: directory,
      ...(target === undefined
        ? {}
        : {
            CNI_CONTAINERID: target.container,
            CNI_NETNS: target.namespace,
            CNI_IFNAME: target.device,
            CNI_ARGS: target.args,
          }),
    },
    // It leads a process group, to which the plugins that it runs itself belong.
    detached: true,
  });
  // A plugin that ends early closes its input; its status says why.
  child.stdin.on('error', () => undefined).end(JSON.stringify(config));
  const failed = once(child, 'error').then(([error]) => {
    throw pluginFailed(call, error instanceof Error ? error.message : String(error), error);
  });
  const ended: Promise<unknown[]> = once(child, 'close');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      killGroup(child);
      reject(pluginFailed(call, `it did not end within ${deadlineMs / 1000} s`));
    }, deadlineMs);
  });
  try {
    const [out, complaint, [code, signal]] = await Promise.race([
      Promise.all([textOf(child.stdout), textOf(child.stderr), ended]),
      failed,
      late,
    ]);
    if (code === 0) return out;
    throw pluginFailed(call, said(out) || lastLine(complaint) || `it ended with ${code ?? signal}`);
  } finally {
    clearTimeout(timer);
  }
}

/** A program that has left the group may hold the pipes open, so they are closed here. */
function killGroup({
  pid,
  stdout,
  stderr,
}: ChildProcessByStdio<Writable, Readable, Readable>): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
  stdout.destroy();
  stderr.destroy();
}

/** All is read, so that the plugin is never held back; a part of it is kept. */
async function textOf(stream: Readable): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    const data = Buffer.from(piece);
    if (bytes < MOST_BYTES) kept.push(data);
    bytes += data.length;
  }
  return Buffer.concat(kept).subarray(0, MOST_BYTES).toString('utf8');
}

/** A plugin that fails prints why, as JSON (SPEC.md, section 5). */
function said(out: string): string {
  try {
    const { msg, details } = Failure.parse(JSON.parse(out));
    return oneLine(details === undefined || details === '' ? msg : `${msg}: ${details}`);
  } catch {
    return '';
  }
}

function lastLine(text: string): string {
  return oneLine(text.trim().split('\n').at(-1) ?? '');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 400);
}

export function pluginFailed(
  { command, type }: Pick<PluginCall, 'command' | 'type'>,
  reason: string,
  cause?: unknown,
): A3sError {
  return new A3sError('network-failed', `The CNI plugin ${type} failed at ${command}: ${reason}`, {
    remedy: 'See the documentation of the plugin, and the network’s configuration.',
    cause,
  });
}
