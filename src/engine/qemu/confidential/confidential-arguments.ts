/**
 * QEMU's command line of a confidential VM, as a pure function of the VM.
 *
 * All devices are there from the start, and none lets the host look inside: no console, no
 * template, no files of the host, no balloon, modern virtio only. With SEV-SNP, QEMU passes the
 * measured pages to the secure processor. Simulated, the firmware finds the same table of hashes at
 * the same place, and checks it in the same way.
 *
 * @module
 */
import { CONTROL_PORT } from '../../control-port-name.ts';
import { passtSocket } from '../../helpers/passt.ts';
import {
  acceleration,
  addFd,
  CONTROL,
  CONTROL_PORT_ID,
  confinement,
  identity,
  lifecycle,
  listeningSocket,
  monitorArguments,
  processors,
} from '../command-line/arguments.ts';
import { cardHub, cardId, joinedTap } from '../command-line/card-hub.ts';
import { diskSet, KVM_SET } from '../command-line/descriptor-sets.ts';
import {
  asArguments,
  type Command,
  modern,
  NETDEV,
  placedDisks,
  translator,
} from '../command-line/devices.ts';
import { cardPlaces, diskPlaces, FIXED_PLACES, portPlaces } from './device-places.ts';
import type { ConfidentialPlan, ConfidentialSpec } from './plan.ts';

/** Descriptors that QEMU inherits, by number. */
export interface ConfidentialDescriptors {
  /** Sealed files in memory. */
  readonly firmware: number;
  readonly kernel: number;
  readonly initrd: number;
  /**
   * The table of hashes that the firmware checks, and its address. With SEV-SNP QEMU makes it
   * itself.
   */
  readonly hashes: { readonly fd: number; readonly address: number } | undefined;
  /** `/dev/kvm` and `/dev/sev`, where they are needed. */
  readonly kvm: number | undefined;
  readonly sev: number | undefined;
  /** Listening sockets, as those of a plain VM. */
  readonly monitor: number;
  readonly control: number;
  /** The socket that leads to a simulated secure processor; undefined: the VM has a real one. */
  readonly processor: number | undefined;
  /** One per disk, in the spec's order. */
  readonly disks: readonly number[];
  /** The tap device of the network card, where the host leads it. */
  readonly tap?: number | undefined;
  /** Those of the further cards; undefined where one leads nowhere. */
  readonly moreTaps?: readonly (number | undefined)[] | undefined;
}

/** Name of the virtio-serial port at which a simulated secure processor answers. */
export const PROCESSOR_PORT = 'a3s.sp';

/**
 * The position of the encryption bit on every processor with SEV-SNP, and the address bit that it
 * costs (AMD 24593, CPUID Fn8000_001F).
 */
const C_BIT = 51;
const REDUCED_PHYSICAL_BITS = 1;

const MODERN = 'disable-legacy=on,iommu_platform=on';

export function confidentialArguments(
  plan: ConfidentialPlan,
  fds: ConfidentialDescriptors,
): string[] {
  const { spec } = plan;
  return [
    ...identity(spec),
    ...confinement(),
    ...platform(plan, fds),
    ...memory(spec),
    ...protection(spec, fds),
    ...boot(spec, fds),
    ...ports(fds),
    ...rootPorts(spec),
    ...monitorArguments(fds.monitor),
    ...asArguments([...cards(spec, fds), ...disks(spec)]),
    ...lifecycle(),
  ];
}

function platform({ spec, accelerator }: ConfidentialPlan, fds: ConfidentialDescriptors): string[] {
  const { tee, vcpuType } = spec.confidential;
  const common =
    'q35,memory-backend=memory,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off,smm=off';
  return [
    '-machine',
    tee === 'snp' ? `${common},confidential-guest-support=snp` : common,
    ...acceleration(accelerator),
    '-cpu',
    vcpuType,
    ...addFd(fds.kvm, KVM_SET),
    ...fds.disks.flatMap((fd, index) => addFd(fd, diskSet(index))),
    ...processors(spec),
  ];
}

/**
 * Guest memory never lies in a file. With SEV-SNP the memory that is shared with the host is a
 * memfd, and the rest is the kernel's.
 */
function memory({ memoryBytes, confidential }: ConfidentialSpec): string[] {
  const common = `id=memory,size=${memoryBytes}B,dump=off,merge=off`;
  const backend =
    confidential.tee === 'snp'
      ? `memory-backend-memfd,${common},share=on`
      : `memory-backend-ram,${common},share=off`;
  return ['-m', `size=${memoryBytes}B`, '-object', backend];
}

function protection(
  { confidential }: ConfidentialSpec,
  { hashes, sev }: ConfidentialDescriptors,
): string[] {
  if (confidential.tee === 'simulated') {
    if (hashes === undefined) return [];
    const address = `0x${hashes.address.toString(16)}`;
    return ['-device', `loader,file=/proc/self/fd/${hashes.fd},addr=${address},force-raw=on`];
  }
  const { policy, hostData, identity: id } = confidential;
  const options = [
    'sev-snp-guest',
    'id=snp',
    `sev-device=/proc/self/fd/${sev}`,
    `cbitpos=${C_BIT}`,
    `reduced-phys-bits=${REDUCED_PHYSICAL_BITS}`,
    `policy=0x${policy.toString(16)}`,
    'kernel-hashes=on',
    `host-data=${base64(hostData)}`,
    ...(id === undefined
      ? []
      : [
          `id-block=${base64(id.block)}`,
          `id-auth=${base64(id.auth)}`,
          `author-key-enabled=${hasAuthor(id.auth) ? 'on' : 'off'}`,
        ]),
  ];
  return ['-object', options.join(',')];
}

/**
 * AUTHOR_KEY_ALGO of the ID authentication information: bytes 4 to 7, zero where no author key
 * signed the ID key.
 */
export function hasAuthor(auth: Uint8Array): boolean {
  return auth.subarray(4, 8).some((byte) => byte !== 0);
}

function boot({ boot: { commandLine } }: ConfidentialSpec, fds: ConfidentialDescriptors): string[] {
  return [
    '-bios',
    `/proc/self/fd/${fds.firmware}`,
    '-kernel',
    `/proc/self/fd/${fds.kernel}`,
    '-initrd',
    `/proc/self/fd/${fds.initrd}`,
    '-append',
    commandLine.join(' '),
  ];
}

function ports({ control, processor }: ConfidentialDescriptors): string[] {
  return [
    '-serial',
    'none',
    '-device',
    `virtio-rng-pci,${FIXED_PLACES.random},${MODERN}`,
    '-device',
    // The first port belongs to a console, and this machine has no console.
    `virtio-serial-pci,${FIXED_PLACES.serial},${MODERN},max_ports=${processor === undefined ? 2 : 3}`,
    '-chardev',
    listeningSocket(CONTROL, control),
    '-device',
    `virtserialport,id=${CONTROL_PORT_ID},chardev=${CONTROL},name=${CONTROL_PORT},nr=1`,
    ...(processor === undefined
      ? []
      : [
          '-chardev',
          listeningSocket('processor', processor),
          '-device',
          `virtserialport,id=processor-port,chardev=processor,name=${PROCESSOR_PORT},nr=2`,
        ]),
  ];
}

/** For what is attached while the VM runs. */
function rootPorts({ sparePorts = 0 }: ConfidentialSpec): string[] {
  return portPlaces(sparePorts).flatMap((place, index) => [
    '-device',
    `pcie-root-port,id=rp${index},chassis=${index + 1},slot=${index + 1},${place}`,
  ]);
}

function cards(
  { nic, moreNics = [], runtimeDir }: ConfidentialSpec,
  { tap, moreTaps = [] }: ConfidentialDescriptors,
): Command[] {
  if (nic === undefined) return [];
  const taps = [tap, ...moreTaps];
  const all = [nic, ...moreNics];
  return cardPlaces(all.length).flatMap((place, index): Command[] => {
    const [card, fd] = [all[index], taps[index]];
    const { netdev, commands } = backend(index, card?.redirectable === true, fd, runtimeDir);
    const device = { driver: 'virtio-net-pci', ...place, netdev, id: cardId(index) };
    return [...commands, ['device_add', modern({ ...device, mac: card?.mac, romfile: '' })]];
  });
}

/** What takes a card's frames. */
function backend(
  index: number,
  redirectable: boolean,
  fd: number | undefined,
  runtimeDir: string,
): { readonly netdev: string; readonly commands: readonly Command[] } {
  if (redirectable) {
    const { netdev, commands } = cardHub(index);
    const joined = fd === undefined ? [] : joinedTap(index, String(fd));
    return { netdev, commands: [...commands, ...joined] };
  }
  const netdev = index === 0 ? NETDEV : `net${index}`;
  return fd === undefined
    ? { netdev, commands: [translator(netdev, passtSocket(runtimeDir))] }
    : { netdev, commands: [['netdev_add', { type: 'tap', id: netdev, fd: String(fd) }]] };
}

function disks(spec: ConfidentialSpec): Command[] {
  const places = diskPlaces(spec.disks.length, spec.sparePorts);
  return placedDisks(spec, places).map(([name, args]) => [
    name,
    name === 'device_add' ? modern(args) : args,
  ]);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
