import { describe, expect, it } from 'vitest';
import type { ConfidentialLaunch } from '../../vm/confidential-launch.ts';
import { type ConfidentialDescriptors, confidentialArguments } from './confidential-arguments.ts';
import { MOST_DISKS } from './device-places.ts';
import type { ConfidentialPlan, ConfidentialSpec } from './plan.ts';

const MEBIBYTE = 2 ** 20;
const confidential: ConfidentialLaunch = {
  tee: 'simulated',
  firmwarePath: '/boot/OVMF.fd',
  vcpuType: 'EPYC-Milan-v2',
  policy: 0x30000n,
  hostData: new Uint8Array(32).fill(0xab),
  guestStatePath: '/home/guest.json',
};
const spec: ConfidentialSpec = {
  id: '0123456789abcdef'.repeat(4),
  runtimeDir: '/run/a,b',
  identity: { uid: 1, gid: 1 },
  cpus: 2,
  memoryBytes: 512 * MEBIBYTE,
  boot: {
    kernelPath: '/boot/bzImage',
    initrdPath: '/boot/initrd-confidential',
    commandLine: ['panic=-1', 'quiet', 'a3s.tee=simulated'],
  },
  disks: [
    { path: '/images/layer', serial: 'layer-0', readonly: true },
    { path: '/boxes/changes', serial: 'changes', readonly: false },
  ],
  nic: { mac: '02:00:00:00:00:01', ports: [] },
  shares: [],
  confidential,
};
const simulatedFds: ConfidentialDescriptors = {
  firmware: 3,
  kernel: 4,
  initrd: 5,
  hashes: { fd: 6, address: 0x810c00 },
  kvm: undefined,
  sev: undefined,
  ...{ monitor: 7, control: 12, processor: 13 },
  disks: [8, 9],
};
const simulated: ConfidentialPlan = { spec, accelerator: 'tcg' };
const snp: ConfidentialPlan = {
  spec: { ...spec, confidential: { ...confidential, tee: 'snp' } },
  accelerator: 'kvm',
};
const snpFds: ConfidentialDescriptors = {
  ...simulatedFds,
  ...{ hashes: undefined, processor: undefined, kvm: 10, sev: 11 },
};

const HEAD = [
  ...['-name', `guest=${spec.id},process=a3s-0123456789a`],
  ...['-uuid', '01234567-89ab-cdef-0123-456789abcdef'],
  ...['-object', 'authz-simple,id=place,identity=/run/a,,b/ctl.sock'],
  ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  '-nodefaults',
  '-no-user-config',
  ...['-display', 'none'],
  ...['-vga', 'none'],
];
const BOOT = [
  ...['-bios', '/proc/self/fd/3'],
  ...['-kernel', '/proc/self/fd/4'],
  ...['-initrd', '/proc/self/fd/5'],
  ...['-append', 'panic=-1 quiet a3s.tee=simulated'],
  ...['-serial', 'none'],
  ...['-device', 'virtio-rng-pci,bus=pcie.0,addr=0x1,disable-legacy=on,iommu_platform=on'],
];
const CONTROL = [
  ...['-chardev', 'socket,id=control,fd=12,server=on,wait=off'],
  ...['-device', 'virtserialport,id=control-port,chardev=control,name=a3s.control,nr=1'],
];
const SPEC =
  'q35,memory-backend=memory,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off,smm=off';

function block(name: string, fd: number, readonly: boolean): string {
  return JSON.stringify({
    driver: 'raw',
    'node-name': name,
    'read-only': readonly,
    discard: readonly ? 'ignore' : 'unmap',
    file: {
      driver: 'file',
      filename: `/dev/fdset/${fd}`,
      locking: readonly ? 'off' : 'on',
    },
  });
}

function blockDevice(id: string, serial: string, addr: string): string {
  return JSON.stringify({
    driver: 'virtio-blk-pci',
    bus: 'pcie.0',
    addr,
    multifunction: true,
    drive: id,
    id,
    serial,
    werror: 'report',
    rerror: 'report',
    'disable-legacy': 'on',
    iommu_platform: true,
  });
}

const TAIL = [
  ...['-chardev', 'socket,id=monitor,fd=7,server=on,wait=off'],
  ...['-mon', 'chardev=monitor,mode=control'],
  '-netdev',
  JSON.stringify({
    type: 'stream',
    id: 'net0',
    server: false,
    addr: { type: 'unix', path: '/run/a,b/passt.sock' },
  }),
  '-device',
  JSON.stringify({
    driver: 'virtio-net-pci',
    bus: 'pcie.0',
    addr: '0x3.0x0',
    multifunction: false,
    netdev: 'net0',
    id: 'nic0',
    mac: '02:00:00:00:00:01',
    romfile: '',
    'disable-legacy': 'on',
    iommu_platform: true,
  }),
  ...['-blockdev', block('disk0', 2, true)],
  ...['-device', blockDevice('disk0', 'layer-0', '0x4.0x0')],
  ...['-blockdev', block('disk1', 3, false)],
  ...['-device', blockDevice('disk1', 'changes', '0x4.0x1')],
  ...['-action', 'reboot=shutdown,shutdown=pause,panic=pause', '-S'],
];

describe('the arguments of a confidential microVM', () => {
  it('places the table of hashes for the firmware when the processor is simulated', () => {
    expect(confidentialArguments(simulated, simulatedFds)).toEqual([
      ...HEAD,
      ...['-machine', SPEC, '-accel', 'tcg,thread=multi', '-cpu', 'EPYC-Milan-v2'],
      ...['-add-fd', 'fd=8,set=2', '-add-fd', 'fd=9,set=3'],
      ...['-smp', 'cpus=2,sockets=1,cores=2,threads=1'],
      ...['-m', 'size=536870912B'],
      ...['-object', 'memory-backend-ram,id=memory,size=536870912B,dump=off,merge=off,share=off'],
      ...['-device', 'loader,file=/proc/self/fd/6,addr=0x810c00,force-raw=on'],
      ...BOOT,
      '-device',
      'virtio-serial-pci,bus=pcie.0,addr=0x2,disable-legacy=on,iommu_platform=on,max_ports=3',
      ...CONTROL,
      ...['-chardev', 'socket,id=processor,fd=13,server=on,wait=off'],
      ...['-device', 'virtserialport,id=processor-port,chardev=processor,name=a3s.sp,nr=2'],
      ...TAIL,
    ]);
  });

  it('makes QEMU hand everything measured to the processor with SEV-SNP', () => {
    expect(confidentialArguments(snp, snpFds)).toEqual([
      ...HEAD,
      ...['-machine', `${SPEC},confidential-guest-support=snp`],
      ...['-accel', 'kvm,device=/dev/fdset/1', '-cpu', 'EPYC-Milan-v2'],
      ...['-add-fd', 'fd=10,set=1', '-add-fd', 'fd=8,set=2', '-add-fd', 'fd=9,set=3'],
      ...['-smp', 'cpus=2,sockets=1,cores=2,threads=1'],
      ...['-m', 'size=536870912B'],
      ...['-object', 'memory-backend-memfd,id=memory,size=536870912B,dump=off,merge=off,share=on'],
      '-object',
      `sev-snp-guest,id=snp,sev-device=/proc/self/fd/11,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on,host-data=${'q6ur'.repeat(10)}q6s=`,
      ...BOOT,
      '-device',
      'virtio-serial-pci,bus=pcie.0,addr=0x2,disable-legacy=on,iommu_platform=on,max_ports=2',
      ...CONTROL,
      ...TAIL,
    ]);
  });

  it.each([
    ['an author key', 1, 'on'],
    ['no author key', 0, 'off'],
  ] as const)(
    'passes the ID block and its authentication to QEMU, with %s',
    (_, algorithm, enabled) => {
      const block = new Uint8Array(96).fill(1);
      const auth = new Uint8Array(4096);
      auth[4] = algorithm;
      const identity = { block, auth };
      const plan = {
        ...snp,
        spec: { ...spec, confidential: { ...confidential, tee: 'snp' as const, identity } },
      };
      const object = confidentialArguments(plan, snpFds).find((each) => each.startsWith('sev-snp'));
      const authentication = Buffer.from(auth).toString('base64');
      expect(object).toMatch(
        new RegExp(
          `,id-block=${'AQEB'.repeat(32)},id-auth=${authentication.replace(/[+/]/g, '.')},author-key-enabled=${enabled}$`,
        ),
      );
    },
  );

  it('leads the card to the tap device that the host lends', () => {
    const line = confidentialArguments(snp, { ...snpFds, tap: 12 });
    expect(line).toContain('{"type":"tap","id":"net0","fd":"12"}');
    expect(line.join(' ')).not.toContain('passt');
  });

  it('gives each card a function of one device, and a tap device of its own', () => {
    const nics = ['02', '03'].map((last) => ({ mac: `02:00:00:00:00:${last}`, ports: [], tap: 0 }));
    const plan = { ...snp, spec: { ...snp.spec, moreNics: nics } };
    const line = confidentialArguments(plan, { ...snpFds, tap: 12, moreTaps: [13, 14] });
    const cards = line.flatMap((word) => {
      if (!word.includes('virtio-net-pci')) return [];
      const { addr, multifunction, netdev, id } = JSON.parse(word);
      return [[addr, multifunction, netdev, id]];
    });
    expect(cards).toEqual([
      ['0x3.0x0', true, 'net0', 'nic0'],
      ['0x3.0x1', true, 'net1', 'nic1'],
      ['0x3.0x2', true, 'net2', 'nic2'],
    ]);
    for (const [id, fd] of [
      ['net0', '12'],
      ['net1', '13'],
      ['net2', '14'],
    ]) {
      expect(line).toContain(JSON.stringify({ type: 'tap', id, fd }));
    }
  });

  it('puts a card that can lead elsewhere on a hub of its own, and lets it lead nowhere at first', () => {
    const tap = { mac: '02:00:00:00:00:02', ports: [], tap: 0, redirectable: true };
    const idle = { mac: '02:00:00:00:00:03', ports: [], redirectable: true, idle: true };
    const plan = { ...snp, spec: { ...snp.spec, moreNics: [tap, idle] } };
    const words = confidentialArguments(plan, { ...snpFds, moreTaps: [13, undefined] })
      .filter((word) => /"type":|virtio-net/.test(word))
      .map((word) => JSON.parse(word));
    expect(words.slice(2)).toMatchObject([
      { type: 'hubport', id: 'hub1', hubid: 1 },
      { type: 'hubport', id: 'sink1', hubid: 1 },
      { type: 'tap', id: 'net1', fd: '13' },
      { type: 'hubport', id: 'uplink1', hubid: 1, netdev: 'net1' },
      { addr: '0x3.0x1', netdev: 'hub1', id: 'nic1', mac: tap.mac },
      { type: 'hubport', id: 'hub2', hubid: 2 },
      { type: 'hubport', id: 'sink2', hubid: 2 },
      { addr: '0x3.0x2', netdev: 'hub2', id: 'nic2', mac: idle.mac },
    ]);
    // The first leads to its translator, which no hub is between.
    expect(words.slice(0, 2)).toMatchObject([{ type: 'stream', id: 'net0' }, { netdev: 'net0' }]);
  });

  it('gives a confidential microVM no console, share, balloon or hotplug port', () => {
    for (const [plan, fds] of [
      [simulated, simulatedFds],
      [snp, snpFds],
    ] as const) {
      const line = confidentialArguments(plan, fds).join(' ');
      for (const word of [
        'ringbuf',
        'isa-serial',
        'vhost-user',
        'balloon',
        'root-port',
        'mem-path',
      ])
        expect(line).not.toContain(word);
    }
  });

  it('gives every disk of a confidential microVM its own PCI function, function 0 first', () => {
    const many = Array.from({ length: MOST_DISKS }, (_, n) => ({
      path: '/images/layer',
      serial: `layer-${n}`,
      readonly: true,
    }));
    const fds = { ...simulatedFds, disks: many.map((_, n) => n + 20) };
    const places = confidentialArguments({ ...simulated, spec: { ...spec, disks: many } }, fds)
      .filter((each) => each.startsWith('{"driver":"virtio-blk-pci"'))
      .map((each) => String(JSON.parse(each).addr));
    expect(new Set(places).size).toBe(MOST_DISKS);
    expect(places[0]).toBe('0x4.0x0');
    expect(places.at(-1)).toBe('0x1e.0x7');
  });

  it('gives a confidential pod root ports for the disks of its containers, and a box none', () => {
    const ports = (sparePorts?: number) => {
      const planned = { ...simulated, spec: { ...spec, sparePorts } };
      const line = confidentialArguments(planned, simulatedFds);
      const found = line.filter((each) => each.startsWith('pcie-root-port'));
      return { found, disk: line.find((each) => each.includes('virtio-blk-pci')) };
    };
    expect(ports().found).toEqual([]);
    const { found, disk } = ports(2);
    expect(found).toEqual([
      'pcie-root-port,id=rp0,chassis=1,slot=1,bus=pcie.0,addr=0x4',
      'pcie-root-port,id=rp1,chassis=2,slot=2,bus=pcie.0,addr=0x5',
    ]);
    expect(JSON.parse(disk ?? '{}')).toMatchObject({ bus: 'pcie.0', addr: '0x6.0x0' });
  });
});
