import { expect, it } from 'vitest';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { qemuArguments, type VmmPlan } from './arguments.ts';

const MEBIBYTE = 2 ** 20;
const spec: VmSpec = {
  id: '0123456789abcdef'.repeat(4),
  runtimeDir: '/run/a,b',
  identity: { uid: 1, gid: 1 },
  cpus: 2,
  memoryBytes: 256 * MEBIBYTE,
  boot: {
    kernelPath: '/boot/vmlinux',
    initrdPath: '/boot/initrd',
    commandLine: ['console=ttyS0', 'quiet'],
  },
  disks: [
    { path: '/images/layer', serial: 'layer-0', readonly: true },
    { path: '/boxes/changes', serial: 'changes', readonly: false },
  ],
  nic: undefined,
  shares: [],
};
function plan(changes: Partial<VmmPlan> = {}): VmmPlan {
  return { spec, accelerator: 'tcg', start: 'boot', growthBytes: 0, ...changes };
}
const rootPorts = Array.from({ length: 4 }, (_, n) => [
  '-device',
  `pcie-root-port,id=rp${n},chassis=${n + 1},slot=${n + 1},bus=pcie.0`,
]).flat();

it('tells the kernel of an emulated processor the rate of its counter', () => {
  const fds = { kernel: 3, initrd: 4, kvm: undefined, monitor: 9, control: 10, disks: [] };
  const line = (changes: Partial<VmmPlan>): string =>
    qemuArguments(plan({ tscKhz: 2_596_000, ...changes }), fds).join(' ');
  expect(line({})).toContain(' -append tsc_early_khz=2596000 console=ttyS0 quiet -');
  expect(line({ start: 'save' })).toContain(' -append tsc_early_khz=2596000 console=ttyS0 ');
  expect(line({ tscKhz: undefined })).toContain(' -append console=ttyS0 quiet -');
  expect(line({ accelerator: 'kvm' })).not.toContain('tsc_early_khz');
  expect(line({ start: 'template' })).not.toContain('tsc_early_khz');
});

it('describes the microVM completely on QEMU’s command line, and nothing of the box', () => {
  const fds = { kernel: 3, initrd: 4, kvm: undefined, monitor: 9, control: 10, disks: [5, 6] };
  expect(qemuArguments(plan(), fds)).toEqual([
    ...['-name', `guest=${spec.id},process=a3s-0123456789a`],
    ...['-uuid', '01234567-89ab-cdef-0123-456789abcdef'],
    ...['-object', 'authz-simple,id=place,identity=/run/a,,b/ctl.sock'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    '-nodefaults',
    '-no-user-config',
    ...['-display', 'none'],
    ...['-vga', 'none'],
    '-machine',
    'q35,memory-backend=memory,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off,hpet=off',
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max,erms=off,fsrm=off'],
    ...['-add-fd', 'fd=5,set=2', '-add-fd', 'fd=6,set=3'],
    ...['-smp', 'cpus=2,sockets=1,cores=2,threads=1'],
    ...['-m', 'size=268435456B'],
    ...['-object', 'memory-backend-ram,id=memory,size=268435456B,dump=off,merge=off,share=off'],
    ...['-kernel', '/proc/self/fd/3'],
    ...['-initrd', '/proc/self/fd/4'],
    ...['-append', 'console=ttyS0 quiet'],
    ...['-chardev', 'ringbuf,id=console,size=65536'],
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-rng-pci,bus=pcie.0,disable-legacy=on'],
    ...['-device', 'virtio-serial-pci,bus=pcie.0,disable-legacy=on,max_ports=2'],
    ...['-chardev', 'socket,id=control,fd=10,server=on,wait=off'],
    ...['-device', 'virtserialport,id=control-port,chardev=control,name=a3s.control'],
    ...['-chardev', 'socket,id=monitor,fd=9,server=on,wait=off'],
    ...['-mon', 'chardev=monitor,mode=control'],
    ...rootPorts,
    ...['-action', 'reboot=shutdown,shutdown=pause,panic=pause', '-S'],
  ]);
});

it('passes KVM to QEMU as a descriptor, since the jail has no /dev/kvm', () => {
  const fds = { kernel: 3, initrd: 4, kvm: 5, monitor: 9, control: 10, disks: [] };
  const line = qemuArguments(plan({ accelerator: 'kvm' }), fds).join(' ');
  expect(line).toContain('-accel kvm,device=/dev/fdset/1 -cpu host -add-fd fd=5,set=1 -smp');
});

it('makes guest memory shared only for file servers', () => {
  const fds = { kernel: 3, initrd: 4, kvm: undefined, monitor: 9, control: 10, disks: [] };
  const shares = [{ tag: 'share-0', path: '/srv', readonly: true }];
  expect(qemuArguments(plan({ spec: { ...spec, shares } }), fds)).toContain(
    'memory-backend-memfd,id=memory,size=268435456B,dump=off,merge=off,share=on',
  );
});

it('shares the memory of a microVM from a template that takes shares later', () => {
  const fds = {
    kernel: 3,
    initrd: undefined,
    kvm: undefined,
    monitor: 9,
    control: 10,
    disks: [],
    ram: 4,
  };
  const template = {
    ...{ key: '0'.repeat(64), shape: { cpus: 2, boot: spec.boot }, ram: 4, devicePath: '/d' },
    memoryBytes: 512 * MEBIBYTE,
  };
  const line = (takesShares: boolean): string =>
    qemuArguments(
      plan({ spec: { ...spec, template, takesShares }, start: 'template', growthBytes: 2 ** 30 }),
      fds,
    ).join(' ');
  expect(line(true)).toContain('mem-path=/proc/self/fd/4,share=on,dump=off');
  expect(line(false)).toContain('mem-path=/proc/self/fd/4,share=off,readonly=on,rom=off,dump=off');
});

it('emulates arm64 on the machine virt, which has no tables of ACPI and no time stamp counter', () => {
  const fds = { kernel: 3, initrd: 4, kvm: undefined, monitor: 9, control: 10, disks: [] };
  const boot = { ...spec.boot, architecture: 'arm64' } as const;
  const line = qemuArguments(plan({ spec: { ...spec, boot }, tscKhz: 1 }), fds).join(' ');
  expect(line).toContain(
    '-machine virt,gic-version=3,memory-backend=memory,dump-guest-core=off,usb=off -accel tcg,thread=multi -cpu max,pauth=off -smp',
  );
  expect(line).not.toContain('tsc_early_khz');
  expect(line).toContain(rootPorts.join(' '));
});
