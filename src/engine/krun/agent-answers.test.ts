import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Vm, VmExit } from '../vm/vm.ts';
import { agentAnswers } from './agent-answers.ts';

let root: string;
let server: Server | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-answers-'));
});
afterEach(() => {
  server?.close();
  rmSync(root, { recursive: true });
});

/** A VM whose control socket is served in this way; it runs until `exited` says otherwise. */
async function vmServedBy(
  serve: (socket: Socket, connection: number) => void,
  exited: Promise<VmExit> = new Promise(() => undefined),
): Promise<Pick<Vm, 'connect' | 'exited'>> {
  const path = join(root, 'ctl.sock');
  let connections = 0;
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    connections += 1;
    serve(socket, connections);
  }).listen(path);
  await once(server, 'listening');
  const open = async (): Promise<Socket> => {
    const socket = connect(path);
    await once(socket, 'connect');
    return socket;
  };
  return { connect: open, exited };
}

const soon = (): AbortSignal => AbortSignal.timeout(30_000);

it('asks again where the stream is reset with the greeting unread, and where it ends', async () => {
  const seen: number[] = [];
  const vm = await vmServedBy((socket, connection) => {
    seen.push(connection);
    if (connection === 1) return void socket.pause().once('readable', () => socket.destroy());
    if (connection === 2) return void socket.end();
    socket.once('data', () => socket.end('settings'));
  });
  await agentAnswers(vm, soon());
  expect(seen).toEqual([1, 2, 3]);
});

it('says why the microVM ended', async () => {
  const exited = Promise.resolve<VmExit>({ reason: 'crashed', detail: 'no KVM' });
  const { connect: _, ...rest } = await vmServedBy(() => undefined, exited);
  const vm = { ...rest, connect: () => Promise.reject(new Error('gone')) };
  await expect(agentAnswers(vm, soon())).rejects.toMatchObject({
    code: 'vmm-failed',
    message: 'no KVM',
  });
});

it('stops at its deadline, though the microVM neither answers nor ends', async () => {
  const late = AbortSignal.timeout(100);
  const silent = await vmServedBy((socket) => socket.resume());
  await expect(agentAnswers(silent, late)).rejects.toThrow('due to timeout');
  const broken = { ...silent, connect: () => Promise.reject(new Error('no socket')) };
  const later = AbortSignal.timeout(100);
  await expect(agentAnswers(broken, later)).rejects.toThrow('due to timeout');
});
