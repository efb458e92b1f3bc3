/**
 * A filter of system calls for programs in jails that need few of them, as bubblewrap installs it:
 * a classic BPF program of x86-64.
 *
 * It refuses the parts of the kernel that a program without rights can reach and has no use for. It
 * is a list of what is refused, not of what is allowed: Node and its libraries call what their
 * versions like.
 *
 * @module
 */

/** Refused with EPERM, by their numbers on x86-64. */
export const REFUSED_CALLS = {
  // Other processes, and what they have.
  ...{ ptrace: 101, process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, pidfd_getfd: 438 },
  ...{ pidfd_open: 434, pidfd_send_signal: 424 },
  // Memory and queues that other programs of the user could share.
  ...{ shmget: 29, shmat: 30, shmctl: 31, shmdt: 67, semget: 64, semop: 65, semctl: 66 },
  ...{ semtimedop: 220, msgget: 68, msgsnd: 69, msgrcv: 70, msgctl: 71 },
  // Namespaces and mounts.
  ...{ setns: 308, mount: 165, umount2: 166, pivot_root: 155 },
  ...{ open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433 },
  ...{ mount_setattr: 442, name_to_handle_at: 303, open_by_handle_at: 304 },
  ...{ statmount: 457, listmount: 458, fanotify_init: 300 },
  // Parts of the kernel where faults are found again and again.
  ...{ io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, bpf: 321 },
  ...{ io_setup: 206 },
  ...{ userfaultfd: 323, perf_event_open: 298, vmsplice: 278, modify_ldt: 154, personality: 135 },
  ...{ add_key: 248, request_key: 249, keyctl: 250, remap_file_pages: 216 },
  // The host as a whole.
  ...{ init_module: 175, finit_module: 313, delete_module: 176, kexec_load: 246 },
  ...{ kexec_file_load: 320, reboot: 169, swapon: 167, swapoff: 168, syslog: 103, acct: 163 },
  ...{ iopl: 172, ioperm: 173, quotactl: 179, quotactl_fd: 443, sethostname: 170 },
  ...{ setdomainname: 171, settimeofday: 164, clock_settime: 227, adjtimex: 159 },
  ...{ clock_adjtime: 305, migrate_pages: 256, move_pages: 279, mbind: 237 },
} as const;

/** Refused as well. The table of the agent is older than this call. */
const OPEN_TREE_ATTR = 467;

/** What one process does to another of its user, where nothing else keeps them apart. */
export const OTHERS_CALLS = {
  ...{ kill: 62, tkill: 200, tgkill: 234, rt_sigqueueinfo: 129, rt_tgsigqueueinfo: 297 },
  ...{ setpriority: 141, ioprio_set: 251, sched_setparam: 142, sched_setscheduler: 144 },
  ...{ sched_setattr: 314, sched_setaffinity: 203, process_madvise: 440, process_mrelease: 448 },
} as const;

/** Other system calls of which some uses are refused. */
export const CHECKED_CALLS = {
  ...{ unshare: 272, chroot: 161 },
  ...{ socket: 41, socketpair: 53, clone: 56, clone3: 435, mmap: 9, memfd_create: 319 },
  ...{ setrlimit: 160, prlimit64: 302, fcntl: 72, ioctl: 16 },
} as const;

const AF_UNIX = 1;
/** `AF_UNIX`, `AF_INET` and `AF_INET6`. */
const ALLOWED_FAMILIES = [AF_UNIX, 2, 10];
/** That of the type, TCP and UDP: not SCTP, MPTCP and others that the kernel would load. */
const ALLOWED_PROTOCOLS = [0, 6, 17];
/** All of `CLONE_NEW*`; `CLONE_NEWTIME` means another thing to clone(2). */
const NEW_NAMESPACES = 0x7e02_0000;
const CLONE_NEWTIME = 0x80;

/** The resource that the length of files is. */
const RLIMIT_FSIZE = 1;
/** `MAP_SHARED` and `MAP_ANONYMOUS`. */
const [SHARED, ANONYMOUS] = [0x01, 0x20];

const AUDIT_ARCH_X86_64 = 0xc000_003e;
/** The numbers of another table of system calls begin here. */
const X32 = 0x4000_0000;
const EPERM = 1;
const ENOSYS = 38;

// linux/bpf_common.h, linux/seccomp.h
const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const ERRNO = 0x0005_0000;
/** Offsets in `struct seccomp_data`; of an argument, its lower half. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const SECOND_ARGUMENT = 24;
const THIRD_ARGUMENT = 32;
const FOURTH_ARGUMENT = 40;
/** The upper half of an argument follows the lower one. */
const UPPER = 4;

const INSTRUCTION_BYTES = 8;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Leaves out the instruction behind these where one of the values is loaded. */
function oneOf(values: readonly number[]): Instruction[] {
  return values.map((value, at) => [IF_EQUAL, values.length - at, 0, value]);
}

const refuse: Instruction = [RETURN, 0, 0, ERRNO | EPERM];
const allow: Instruction = [RETURN, 0, 0, ALLOW];

function load(offset: number): Instruction {
  return [LOAD, 0, 0, offset];
}

/**
 * Refuses a new limit of how long files become: the jail's parent may raise it, and nobody else.
 */
function fileLengths(): Instruction[] {
  return [
    [IF_EQUAL, 0, 4, CHECKED_CALLS.setrlimit],
    load(FIRST_ARGUMENT),
    [IF_EQUAL, 0, 1, RLIMIT_FSIZE],
    refuse,
    allow,
    [IF_EQUAL, 0, 9, CHECKED_CALLS.prlimit64],
    load(SECOND_ARGUMENT),
    [IF_EQUAL, 1, 0, RLIMIT_FSIZE],
    allow,
    load(THIRD_ARGUMENT),
    [IF_EQUAL, 0, 2, 0],
    load(THIRD_ARGUMENT + UPPER),
    [IF_EQUAL, 1, 0, 0],
    refuse,
    allow,
  ];
}

/** Refuses a call with one of these flags, and allows it otherwise. */
function newNamespaces(number: number, flags: number): Instruction[] {
  return [[IF_EQUAL, 0, 4, number], load(FIRST_ARGUMENT), [IF_ANY_BIT, 0, 1, flags], refuse, allow];
}

/** Refuses memory that is a file in memory: no limit of the process counts it. */
function memoryFiles(): Instruction[] {
  return [
    [IF_EQUAL, 0, 1, CHECKED_CALLS.memfd_create],
    refuse,
    [IF_EQUAL, 0, 5, CHECKED_CALLS.mmap],
    load(FOURTH_ARGUMENT),
    [IF_ANY_BIT, 0, 2, SHARED],
    [IF_ANY_BIT, 0, 1, ANONYMOUS],
    refuse,
    allow,
  ];
}

/** Whom the kernel signals when a descriptor is ready: `F_SETOWN` and `F_SETOWN_EX`. */
const SET_OWNER = [8, 15];
/** The same by ioctl(2): `FIOSETOWN` and `SIOCSPGRP`. */
const SET_OWNER_IOCTL = [0x8901, 0x8902];

/** Refuses limits of other processes, and signals to them by way of a descriptor. */
function signalsAndLimits(): Instruction[] {
  return [
    [IF_EQUAL, 0, 3, CHECKED_CALLS.prlimit64],
    load(FIRST_ARGUMENT),
    [IF_EQUAL, 1, 0, 0],
    refuse,
    load(NUMBER),
    ...refusedIn(CHECKED_CALLS.fcntl, SET_OWNER),
    ...refusedIn(CHECKED_CALLS.ioctl, SET_OWNER_IOCTL),
  ];
}

/** Refuses a call whose second argument is one of two values, and allows it otherwise. */
function refusedIn(number: number, [first = 0, second = 0]: readonly number[]): Instruction[] {
  return [
    [IF_EQUAL, 0, 5, number],
    load(SECOND_ARGUMENT),
    [IF_EQUAL, 1, 0, first],
    [IF_EQUAL, 0, 1, second],
    refuse,
    allow,
  ];
}

export interface FilterOptions {
  /** Whether the program makes files in memory, and memory that processes share. */
  readonly memoryFiles: boolean;
  /** Whether it makes a directory the root of its files. */
  readonly chroots?: boolean;
  /**
   * Whether it builds namespaces for itself, with mounts in them, after it has asked the kernel
   * about networks; and whether it sends echo requests.
   */
  readonly confinesItself?: boolean;
  /** Whether it enters network namespaces, and no other ones. */
  readonly entersNetworks?: boolean;
  /**
   * Whether the program has processes of others in its process namespace, and is kept from them.
   */
  readonly amongOthers?: boolean;
}

/** Allows to enter a namespace that is said to be one of networks, and refuses any other. */
function networksAlone(): Instruction[] {
  return [
    [IF_EQUAL, 0, 4, REFUSED_CALLS.setns],
    load(SECOND_ARGUMENT),
    [IF_EQUAL, 1, 0, CLONE_NEWNET],
    refuse,
    allow,
  ];
}

/** What a program calls that builds namespaces for itself. */
const BUILDING: readonly number[] = [
  REFUSED_CALLS.mount,
  REFUSED_CALLS.umount2,
  REFUSED_CALLS.pivot_root,
];
const AF_NETLINK = 16;
const CLONE_NEWNET = 0x4000_0000;
/** ICMP, and that of IPv6. */
const ECHO_PROTOCOLS = [1, 58];

/** The filter, as bubblewrap reads it from a descriptor. */
export function systemCallFilter(options: FilterOptions = { memoryFiles: true }): Buffer {
  const { confinesItself = false, chroots = false, amongOthers = false } = options;
  const { entersNetworks = false } = options;
  const refused = [
    ...[...Object.values(REFUSED_CALLS), OPEN_TREE_ATTR].filter(
      (number) =>
        !(confinesItself && BUILDING.includes(number)) &&
        !(entersNetworks && number === REFUSED_CALLS.setns),
    ),
    ...(amongOthers ? Object.values(OTHERS_CALLS) : []),
    ...(chroots ? [] : [CHECKED_CALLS.chroot]),
  ];
  const program: Instruction[] = [
    load(ARCHITECTURE),
    [IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64],
    [RETURN, 0, 0, KILL],
    load(NUMBER),
    [IF_AT_LEAST, 0, 1, X32],
    [RETURN, 0, 0, KILL],
    ...refused.flatMap((number): Instruction[] => [[IF_EQUAL, 0, 1, number], refuse]),
    ...(entersNetworks ? networksAlone() : []),
    ...(amongOthers ? signalsAndLimits() : []),
    ...fileLengths(),
    ...(options.memoryFiles ? [] : memoryFiles()),
    ...(confinesItself ? [] : newNamespaces(CHECKED_CALLS.unshare, NEW_NAMESPACES | CLONE_NEWTIME)),
    // The C library tries clone(2) then, whose flags can be looked at.
    [IF_EQUAL, 0, 1, CHECKED_CALLS.clone3],
    [RETURN, 0, 0, ERRNO | ENOSYS],
    ...(confinesItself ? [] : newNamespaces(CHECKED_CALLS.clone, NEW_NAMESPACES)),
    [IF_EQUAL, 0, 4, CHECKED_CALLS.socketpair],
    load(FIRST_ARGUMENT),
    [IF_EQUAL, 1, 0, AF_UNIX],
    refuse,
    allow,
    [IF_EQUAL, 1, 0, CHECKED_CALLS.socket],
    allow,
    load(FIRST_ARGUMENT),
    ...oneOf(confinesItself ? [...ALLOWED_FAMILIES, AF_NETLINK] : ALLOWED_FAMILIES),
    refuse,
    load(THIRD_ARGUMENT),
    ...oneOf(confinesItself ? [...ALLOWED_PROTOCOLS, ...ECHO_PROTOCOLS] : ALLOWED_PROTOCOLS),
    refuse,
    allow,
  ];
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const [at, [code, ifTrue, ifFalse, value]] of program.entries()) {
    const offset = at * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, offset);
    bytes.writeUInt8(ifTrue, offset + 2);
    bytes.writeUInt8(ifFalse, offset + 3);
    bytes.writeUInt32LE(value >>> 0, offset + 4);
  }
  return bytes;
}
