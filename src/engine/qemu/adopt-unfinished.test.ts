/** A server can die while a VMM loads the state of a template. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isJailUid } from '../../jail/identity.ts';
import { findTool } from '../../jail/tools.ts';
import { DescriptorTable } from '../helpers/descriptor-table.ts';
import { Helper } from '../helpers/helper.ts';
import { findProcesses } from '../processes/processes.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import { QEMU, vmmJail } from './boot/vmm.ts';
import { guestName, monitorArguments, vmmSockets } from './command-line/arguments.ts';
import { executeAll } from './monitor/execute-all.ts';
import { QmpClient } from './monitor/qmp.ts';
import { QemuEngine } from './qemu-engine.ts';
import { marker, wasLaunched } from './template/start-from-template.ts';

const ID = 'ad'.repeat(32);
const DEADLINE_MS = 20_000;
const identity = { uid: 0x7a35_0077, gid: 0x7a35_0077 };

let runtimeDir: string;
let helper: Helper;
beforeEach(async () => {
  runtimeDir = await mkdtemp(join(tmpdir(), 'adopt-'));
  await prepareDirectory(runtimeDir, identity);
  await using table = new DescriptorTable();
  const monitor = await table.listen(vmmSockets(runtimeDir).monitor);
  const args = [
    ...['-name', `${guestName(ID)},process=a3s-test`, '-machine', 'none', '-nodefaults'],
    ...['-display', 'none', '-incoming', 'defer', ...monitorArguments(monitor)],
  ];
  const jail = vmmJail({ identity, runtimeDir, memoryBytes: 2 ** 26, cpus: 1 });
  helper = await Helper.start('qemu', { ...jail, path: await findTool(QEMU), args }, table.fds);
});
afterEach(async () => {
  await endProcesses(runtimeDir);
  helper.release();
  await rm(runtimeDir, { recursive: true });
});

async function monitored<T>(work: (monitor: QmpClient) => Promise<T>): Promise<T> {
  const { monitor: socket } = vmmSockets(runtimeDir);
  const signal = AbortSignal.any([AbortSignal.timeout(DEADLINE_MS), helper.ended]);
  const monitor = await QmpClient.connect(socket, () => undefined, signal);
  try {
    return await work(monitor);
  } finally {
    monitor.close();
    await monitor.closed;
  }
}

it.each([
  ['nothing marks it', false],
  ['a marker says that it was launched', true],
])(
  'ends a VMM that has not loaded its state instead of adopting it, although %s',
  async (_, marked) => {
    await monitored(async (monitor) => {
      if (marked) await executeAll(monitor, [marker()]);
      expect(await wasLaunched(monitor)).toBe(marked);
    });
    const cacheFile = join(runtimeDir, 'accelerator.json');
    const engine = new QemuEngine({ boot: undefined, cacheFile, runtimeDir });
    expect(await engine.adopt(ID, runtimeDir)).toBeUndefined();
    expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
  },
);
