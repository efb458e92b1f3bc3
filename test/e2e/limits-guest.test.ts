// Limits that the guest enforces on workloads, the init, process groups, and a paused box.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOX_SPEC_SCHEMA, type BoxSpec } from '@a3s-box/policies';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Vm } from '../../src/engine/vm/vm.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { MAIN } from '../../src/guest/protocol.ts';
import { bootBusybox, processOf } from './support/busybox-guest.ts';
import { closeEngines } from './support/engines.ts';
import { scaled } from './time-scale.ts';

const MIB = 1024 * 1024;
const deadlineMs = scaled(120_000);

let root: string;
let vm: Vm;
let guest: Guest;
let count = 0;

const spec: BoxSpec = {
  schema: BOX_SPEC_SCHEMA,
  hostname: 'box',
  rootfs: { layers: [{ serial: 'layer-0' }], changes: { kind: 'memory' }, readonly: false },
  process: processOf([
    'sh',
    '-c',
    `trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.1; done`,
  ]),
  mounts: [],
  network: { kind: 'none' },
  confinement: {
    capabilities: [],
    noNewPrivileges: false,
    seccomp: 'default',
    maskedPaths: [],
    readonlyPaths: [],
  },
  resources: {
    memoryBytes: 128 * MIB,
    ulimits: [
      { name: 'nofile', soft: 100, hard: 200 },
      { name: 'fsize', soft: 1024, hard: -1 },
    ],
  },
  init: true,
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'guest-'));
  ({ vm, guest } = await bootBusybox(root, ['sh', 'sleep', 'cat', 'dd', 'true']));
  await guest.putSpec(spec);
  await guest.startMain();
  const ready = await guest.output(MAIN, 0);
  for await (const { data } of ready) if (data.includes('ready')) break;
  ready.close();
});

afterAll(async () => {
  guest?.close();
  await vm?.kill();
  await closeEngines();
  await rm(root, { recursive: true });
});

async function start(script: string, group = false): Promise<string> {
  const id = `e${++count}`;
  await guest.startProcess(id, processOf(['sh', '-c', script]), undefined, { group });
  return id;
}

/** What a script writes, and how it ends. */
async function result(script: string) {
  const id = await start(script);
  const [output, exit] = await Promise.all([collect(id), guest.exit(id)]);
  return { output: output.toString(), exit };
}

const until = { timeout: deadlineMs, interval: 100 };

async function collect(id: string, offset = 0): Promise<Buffer> {
  const reader = await guest.output(id, offset);
  const pieces: Buffer[] = [];
  for await (const chunk of reader) {
    pieces.push(chunk.data);
    reader.ack(chunk.offset + chunk.data.length);
  }
  return Buffer.concat(pieces);
}

it('runs an init as process 1, which reaps orphaned processes', async () => {
  await result('for i in 1 2 3 4; do (sleep 0 &); done');
  await expect
    .poll(async () => (await guest.top()).filter(({ state }) => state === 'Z'), until)
    .toEqual([]);
  const processes = await guest.top();
  const init = processes.find(({ pid }) => pid === 1);
  expect(init).toMatchObject({ ppid: 0, name: 'init', threads: 1, user: '', uid: 0 });
  expect(init?.args.slice(0, 3)).toEqual(['/dev/init', '--', 'sh']);
  const main = await guest.process(MAIN);
  expect(processes.find(({ pid }) => pid === main.pid)).toMatchObject({ ppid: 1, name: 'sh' });
});

it('applies ulimits to every process, and new ones to later processes', async () => {
  const show = 'ulimit -n; ulimit -Hn; ulimit -f; ulimit -c';
  expect((await result(show)).output).toBe('100\n200\n2\nunlimited\n');
  const written = await result('trap "" XFSZ; dd if=/dev/zero of=/file bs=4096 count=1');
  expect(written.exit.exitCode).not.toBe(0);
  await guest.putResources({
    ...spec.resources,
    ulimits: [{ name: 'nofile', soft: 50, hard: 60 }],
  });
  expect((await result(show)).output).toBe('50\n60\nunlimited\nunlimited\n');
});

it('kills everything that a process with a group has started, and nothing that it has left', async () => {
  const id = await start('sleep 7001 & (sleep 7002 &) ; sleep 7003', true);
  const slept = async () =>
    (await guest.top()).flatMap(({ args }) => args).filter((arg) => arg.startsWith('700'));
  await expect.poll(async () => (await slept()).sort(), until).toEqual(['7001', '7002', '7003']);
  await guest.signal(id, 'SIGKILL');
  expect(await guest.ended(id)).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
  await expect.poll(slept, until).toEqual([]);
  await expect(guest.signal(id, 'SIGKILL')).rejects.toMatchObject({ code: 'conflict' });
  const left = await start('sleep 7004 & true', true);
  await guest.ended(left);
  // Its shell has ended, but the child may not be what it is to be yet.
  await expect.poll(slept, until).toEqual(['7004']);
  await guest.forget(left);
  const daemon = (await guest.top()).find(({ args }) => args.includes('7004'));
  expect(daemon).toMatchObject({ name: 'sleep' });
  expect((await result(`kill ${daemon?.pid}`)).exit.exitCode).toBe(0);
  await expect.poll(slept, until).toEqual([]);
});

it('enforces the limit of processes', async () => {
  await guest.putResources({ ...spec.resources, pids: 8 });
  const { output, exit } = await result('for i in 1 2 3 4 5 6 7 8; do sleep 7005 & done 2>&1');
  expect(exit.exitCode).not.toBe(0);
  expect(output).toContain("can't fork");
  expect((await guest.stats()).detail?.pidsLimit).toBe(8);
  await guest.putResources(spec.resources);
  expect((await guest.stats()).detail?.pidsLimit).toBe(0);
});

it('kills a process that exceeds the memory limit, and counts it', async () => {
  const before = (await guest.stats()).detail?.oomKills ?? 0;
  await guest.putResources({
    ...spec.resources,
    memoryBytes: 24 * MIB,
    memoryReservationBytes: MIB,
  });
  const { exit } = await result('exec dd if=/dev/zero of=/dev/null bs=64M count=1');
  expect(exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL', oomKilled: true });
  expect((await guest.process(MAIN)).state).toBe('running');
  expect((await guest.stats()).detail).toMatchObject({
    memoryLimitBytes: 24 * MIB,
    oomKills: before + 1,
  });
  await guest.putResources(spec.resources);
  expect((await result('dd if=/dev/zero of=/dev/null bs=64M count=1')).exit.exitCode).toBe(0);
});

it('refuses a memory limit above the memory of the microVM, and changes nothing', async () => {
  const refused = guest.putResources({ memoryBytes: 4096 * MIB, pids: 5 });
  await expect(refused).rejects.toMatchObject({ code: 'conflict' });
  await expect(guest.putResources({ cpuWeight: 10_001 })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
  expect((await guest.stats()).detail).toMatchObject({
    memoryLimitBytes: 128 * MIB,
    pidsLimit: 0,
  });
});

it('throttles a process that exceeds its CPU limit', async () => {
  const throttled = async () => (await guest.stats()).detail?.throttled.throttledPeriods ?? 0;
  const before = await throttled();
  await guest.putResources({ ...spec.resources, cpuMillis: 50, cpuWeight: 10 });
  const id = await start('while :; do :; done');
  await expect.poll(throttled, until).toBeGreaterThan(before + 2);
  await guest.signal(id, 'SIGKILL');
  await guest.ended(id);
  await guest.putResources(spec.resources);
});

it('counts the resources that the box uses', async () => {
  const first = await guest.stats();
  await result('i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done');
  const second = await guest.stats();
  expect(second.cpuUsec).toBeGreaterThan(first.cpuUsec);
  expect(second.detail?.systemUsec).toBeGreaterThan(first.detail?.systemUsec ?? 0);
  expect(second.detail).toMatchObject({ cpus: 1, networks: [] });
  expect(second.detail?.memory).toHaveProperty('anon');
  expect(second.detail?.memory).toHaveProperty('inactive_file');
});

it('freezes all processes, and lets a frozen box be killed', async () => {
  const id = await start('while :; do :; done');
  await guest.freeze();
  const { cpuUsec } = await guest.stats();
  await guest.signal(MAIN, 'SIGWINCH');
  expect((await guest.top()).length).toBeGreaterThan(2);
  await expect(start('true')).rejects.toMatchObject({ code: 'conflict', guestCode: 'frozen' });
  expect((await guest.stats()).cpuUsec).toBe(cpuUsec);
  await guest.signal(id, 'SIGKILL');
  expect(await guest.ended(id)).toMatchObject({ signal: 'SIGKILL' });
  await guest.thaw();
  expect((await result('echo on')).output).toBe('on\n');
});

it('reports an exit before the output has ended', async () => {
  const id = await start('dd if=/dev/zero bs=1M count=4 2>/dev/null & exit 4');
  expect(await guest.ended(id)).toMatchObject({ exitCode: 4 });
  expect((await guest.process(id)).state).toBe('exited');
});

it('passes a signal on to the main process, and exits with it', async () => {
  await guest.signal(MAIN, 'SIGUSR1');
  // As Docker has it: a process of the box was killed for lack of memory above, whichever it was.
  expect(await guest.ended(MAIN)).toMatchObject({ exitCode: 3, signal: null, oomKilled: true });
  expect((await collect(MAIN)).toString()).toBe('ready\ngot it\n');
  await expect(guest.top()).rejects.toMatchObject({ code: 'conflict' });
});
