/**
 * Starts what runs in a network namespace of these tests, and talks to it.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export type Send = (command: string, values?: Readonly<Record<string, unknown>>) => Promise<string>;

export async function startPeer(namespace: string): Promise<{ child: ChildProcess; send: Send }> {
  const child = fork(join(import.meta.dirname, 'peer.mjs'), {
    execPath: 'nsenter',
    execArgv: [`--net=${namespace}`, process.execPath],
  });
  const waiting = new Map<number, (result: string) => void>();
  let last = 0;
  child.on('message', ({ id, result }: { id: number; result: string }) =>
    waiting.get(id)?.(result),
  );
  await new Promise<string>((resolve) => waiting.set(0, resolve));
  const send: Send = (command, values = {}) =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      child.send({ id: last, command, ...values });
    });
  return { child, send };
}
