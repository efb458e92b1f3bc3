import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  READY_FD,
  readFailure,
  readLine,
  serverBundle,
  serverEnvironment,
} from '../client/start-server.ts';
import type { Command } from '../command.ts';
import { PROXIED, signalStatus } from '../session/signals.ts';

export const serve: Command = {
  usage: '',
  description: 'Run the control server in the foreground',
  flags: [],
  operands: { min: 0, max: 0 },
  failureStatus: 125,
  async run({ context }) {
    const { home, socket } = await context.config();
    const child = spawn(process.execPath, [serverBundle(context.installDir)], {
      env: serverEnvironment(context.env),
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    const subscription = context.onSignals(PROXIED, (signal) => {
      child.kill(signal);
    });
    try {
      const ended = once(child, 'exit');
      const line = await readLine(child, child.stdio[READY_FD] as Readable);
      const failure = readFailure(line, join(home, 'server.log'));
      if (failure !== undefined) throw failure;
      context.stderr.write(`a3s-box: serving on ${socket}\n`);
      await ended;
      return statusOf(child);
    } finally {
      subscription[Symbol.dispose]();
    }
  },
};

function statusOf(child: ChildProcess): number {
  return child.signalCode === null ? (child.exitCode ?? 1) : signalStatus(child.signalCode);
}
