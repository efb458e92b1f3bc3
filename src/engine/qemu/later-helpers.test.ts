/** Helpers of a VM that are started after its launch, as for a box that takes one of a pool. */
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identityFor, isJailUid } from '../../jail/identity.ts';
import { findTool } from '../../jail/tools.ts';
import { DescriptorTable } from '../helpers/descriptor-table.ts';
import { Helper } from '../helpers/helper.ts';
import { findProcesses } from '../processes/processes.ts';
import { endProcesses } from '../processes/sweep.ts';
import { prepareDirectory } from '../runtime-directory.ts';
import type { Share } from '../vm/devices.ts';
import { findVmm, QEMU, vmmJail } from './boot/vmm.ts';
import { guestName, monitorArguments, vmmSockets } from './command-line/arguments.ts';
import { attachNic } from './monitor/attach-nic.ts';
import { attachedDevices } from './monitor/hotplug.ts';
import { ANY_ANSWER, QmpClient } from './monitor/qmp.ts';
import { QemuVm } from './vm.ts';

const ID = 'ad'.repeat(32);
const DEADLINE_MS = 30_000;
const identity = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);

let root: string;
let runtimeDir: string;
let helper: Helper;
let monitor: QmpClient;
let vm: QemuVm;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'later-'));
  await chmod(root, 0o711);
  runtimeDir = join(root, 'run');
  await mkdir(runtimeDir);
  await mkdir(join(root, 'shared'));
  await prepareDirectory(runtimeDir, identity);
  helper = await startQemu();
  const signal = AbortSignal.any([AbortSignal.timeout(DEADLINE_MS), helper.ended]);
  monitor = await QmpClient.connect(vmmSockets(runtimeDir).monitor, () => undefined, signal);
  const vmm = findVmm(ID, runtimeDir);
  if (vmm === undefined) throw new Error('there is no VMM');
  vm = new QemuVm({ id: ID, runtimeDir, vmm, monitor, helpers: [helper] });
});

/** When it returns, QEMU alone has the monitor's socket. */
async function startQemu(): Promise<Helper> {
  await using table = new DescriptorTable();
  const args = [
    ...['-name', `${guestName(ID)},process=a3s-test`, '-S', '-nodefaults', '-display', 'none'],
    ...['-machine', 'q35,memory-backend=memory', '-m', '64M'],
    ...['-object', 'memory-backend-memfd,id=memory,size=64M,share=on'],
    ...['-device', 'pcie-root-port,id=rp0,chassis=1,slot=1'],
    ...['-device', 'pcie-root-port,id=rp1,chassis=2,slot=2'],
    ...monitorArguments(await table.listen(vmmSockets(runtimeDir).monitor)),
  ];
  const jail = vmmJail({ identity, runtimeDir, memoryBytes: 2 ** 26, cpus: 1 });
  return await Helper.start('qemu', { ...jail, path: await findTool(QEMU), args }, table.fds);
}

afterEach(async () => {
  await vm.kill();
  await endProcesses(runtimeDir);
  await rm(root, { recursive: true });
});

const programs = (): string[] =>
  findProcesses(runtimeDir, isJailUid)
    .map(({ program }) => program)
    .filter((program) => program === 'virtiofsd' || program === 'passt');

const share = (name: string, index: number): Share => ({
  ...{ tag: `bind-${index}`, path: join(root, name), readonly: false },
});

it('attaches shares to a paused VM, and ends their file servers with it', async () => {
  await vm.attachShares([share('shared', 0), share('shared', 1)], { identity });
  expect(await attachedDevices(monitor)).toEqual(expect.arrayContaining(['share0', 'share1']));
  expect(programs()).toEqual(['virtiofsd', 'virtiofsd']);
  await vm.kill();
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});

it('attaches no share where one cannot be served, and ends the other file servers with the VM', async () => {
  const shares = [share('shared', 0), share('missing', 1)];
  await expect(vm.attachShares(shares, { identity })).rejects.toMatchObject({
    code: 'bind-source-missing',
  });
  expect(await attachedDevices(monitor)).not.toContain('share0');
  await vm.kill();
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});

it('announces a card that it attaches, whatever its guest sends', async () => {
  const socket = join(runtimeDir, 'frames.sock');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  await chmod(socket, 0o777);
  const connected = once(server, 'connection', { signal: AbortSignal.timeout(DEADLINE_MS) });
  await attachNic(monitor, 0, { mac: '02:00:00:00:00:01', uplink: { socket } });
  await monitor.execute('cont', {}, ANY_ANSWER);
  const [frames] = (await connected) as [Socket];
  const [bytes] = (await once(frames, 'data')) as [Buffer];
  // Behind its length: to everybody, from the card, by reverse ARP.
  expect(bytes.toString('hex', 4, 18)).toBe('ffffffffffff0200000000018035');
  frames.destroy();
  server.close();
});

it('attaches a card with a translator that publishes ports, unless a port is taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const forward = { hostIp: '127.0.0.1', hostPort: port, boxPort: 80, protocol: 'tcp' } as const;
  const nic = { mac: '02:00:00:00:00:01', uplink: { ports: [forward], identity } };
  await expect(vm.attachNic(0, nic)).rejects.toMatchObject({ code: 'port-in-use' });
  expect(programs()).toEqual([]);
  expect(await attachedDevices(monitor)).not.toContain('nic0');
  await new Promise((resolve) => server.close(resolve));
  await vm.attachNic(0, nic);
  expect(programs()).toEqual(['passt']);
  expect(await attachedDevices(monitor)).toContain('nic0');
  const again = createServer().listen(port, '127.0.0.1');
  const [refusal] = (await once(again, 'error')) as [NodeJS.ErrnoException];
  expect(refusal.code).toBe('EADDRINUSE');
  await vm.kill();
  expect(findProcesses(runtimeDir, isJailUid)).toEqual([]);
});
