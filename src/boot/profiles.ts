/**
 * The kernel command lines, by profile. They hold no value that differs between boxes.
 *
 * @module
 */

/**
 * `cryptomgr.notests` and `no_timer_check` save 0.4 s of 2.5 s under emulation: ciphers are not
 * tested against known vectors at every boot, and the timer interrupt of a virtual machine is not
 * proved to work.
 */
const COMMON = [
  'quiet',
  'reboot=t',
  'panic=-1',
  'tsc=reliable',
  'cryptomgr.notests=1',
  'no_timer_check',
  // Sessions are not scheduled as groups: processes of a box are in its control group, which goes
  // before that anyhow.
  'noautogroup',
  // Debian's security modules that need no policy. The others would run for every file, process and
  // socket without having a policy.
  'lsm=landlock,lockdown,yama',
  // The kernel hands it to the agent. Go would interrupt goroutines by signals, which the agent
  // does not need.
  'GODEBUG=asyncpreemptoff=1',
];

/** The kernel of arm64 resets by PSCI, and has a counter of known rate. */
const X86_WORDS: ReadonlySet<string> = new Set(['reboot=t', 'tsc=reliable', 'no_timer_check']);

export const PLAIN_COMMAND_LINE: readonly string[] = [
  'console=ttyS0',
  ...COMMON,
  // RAM that can be attached lies above 4 GiB, for which the kernel would set 64 MiB aside: no
  // device here needs copies below.
  'swiotlb=noforce',
];

/** Of arm64: the same, without what x86 alone has. */
export const ARM64_COMMAND_LINE: readonly string[] = [
  'console=ttyAMA0',
  ...COMMON.filter((word) => !X86_WORDS.has(word)),
  'swiotlb=noforce',
];

/**
 * Drivers that Debian's kernel has built in for PCI, besides that of virtio: NVMe, serial ports,
 * and Xen's platform. Without them a host attaches no device that the guest drives but those of
 * virtio. The kernel asks each driver about a device that is found later, whatever its bus was set
 * to.
 */
const DRIVERS_LEFT_OUT = [
  'nvme_init',
  'serial_pci_driver_init',
  'pericom8250_pci_driver_init',
  'platform_driver_init',
];

/** The VM has no such console, so no output of the kernel or the agent leaves the guest there. */
const CONFIDENTIAL = [
  'console=tty0',
  ...COMMON,
  `initcall_blacklist=${DRIVERS_LEFT_OUT.join(',')}`,
  // Ports have no driver either: it would start services that a guest without hot-plug lacks.
  'pcie_ports=compat',
];

/** By the party that vouches for the guest; the command lines differ in that word alone. */
export const CONFIDENTIAL_COMMAND_LINES = {
  snp: [...CONFIDENTIAL, 'a3s.tee=snp'],
  simulated: [...CONFIDENTIAL, 'a3s.tee=simulated'],
} as const;

/**
 * The word that the command line of a privileged box ends with. The launch digest of such guests is
 * therefore another, and with it the processor's keys: any privileged workload can ask for them.
 */
export const PRIVILEGED_WORD = 'a3s.privileged';

/** POLICY of a launch: SMT is allowed, debugging and migration are not; bit 17 is always one. */
export const LAUNCH_POLICY = 0x30000;

/**
 * Revision of launch specs that the agent of this checkout reads: `directories` came with 2,
 * `tmpfs` and `shmBytes` with 3, sealing with 4, `volumes`, `broker` and `resource` with 5,
 * `counter`, `refresh` and `tokens` with 6, `egress` with 7, `key` of volumes with 8, `privileged`
 * with 9, `groups`, `oomScoreAdj`, `domainname` and `sysctls` with 10, `devices`, `deviceRules`,
 * `seccompProfile` and `changesBytes` with 11, `hosts` and `resolver` with 12, `hostNetworks` with
 * 13, `hostNames` with 14, launch specs of pods with 15, `secrets` of their containers with 16.
 */
export const LAUNCH_SPEC_REVISION = 16;

/** Where in the agent's module the programs are that become `/init`. */
export const AGENT_PACKAGES = { plain: '.', confidential: './confidential' } as const;
