/**
 * The jail: how every helper program starts that handles bytes of a guest or an image.
 *
 * A jail has two features, each enough to keep one box from another:
 *  - *identity* (root only): an own user id, no capability, no new privileges;
 *  - *namespaces*: an own file tree that holds the system's programs and what was handed over, own
 *    process ids, own network unless it is the program's job, no capability.
 * Where the kernel has Landlock, a program besides makes and changes files only in the places that
 * are handed over for that, and as far as it has to.
 * Root has both, or the first alone where the kernel refuses user namespaces. An ordinary user has
 * the second; without it a jail is `weak`, and nothing starts unless the user accepts that. The
 * user can also require all features that this user can have.
 *
 * @module
 */

import type { FilterOptions } from './system-calls.ts';

/** The user and group that a jail's processes run as. */
export interface JailIdentity {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The least that a program starts with: nothing, which the user has to accept; one feature; or all
 * that its user can have, which for root are both.
 */
export type LeastJail = 'none' | 'one-feature' | 'all-features';

/** Which features this host can build. */
export interface JailFeatures {
  /** An own user id. */
  readonly identity: boolean;
  /** Own namespaces. */
  readonly namespaces: boolean;
  /** Why a feature is missing. */
  readonly reason: string | undefined;
  /** Landlock, which limits what files a program can make and change. */
  readonly landlock: boolean;
  /** Why it is missing. */
  readonly landlockReason: string | undefined;
  /** Whether the user accepted jails that have neither feature. */
  readonly weakAccepted: boolean;
  /** Whether the user requires all features. */
  readonly allRequired: boolean;
}

/** Upper limits that the kernel enforces on the program. */
export interface JailLimits {
  readonly openFiles: number;
  /** Largest file that it can write, in bytes. */
  readonly fileBytes?: number;
  /**
   * The same, where this process may raise it while the program runs. The program itself cannot
   * with a filter of system calls, and otherwise can.
   */
  readonly raisableFileBytes?: number | undefined;
  readonly cpuSeconds?: number;
  readonly addressSpaceBytes?: number;
  /** Private memory that it can write to, wherever it comes from. */
  readonly dataBytes?: number;
  /** Processes and threads of its user. */
  readonly processes?: number;
}

/** A program to start in a jail. */
export interface JailProgram {
  /** Absolute path, as `findTool` gives it. */
  readonly path: string;
  readonly args: readonly string[];
  readonly identity: JailIdentity;
  /**
   * A supplementary group, with a user id of its own only. It opens nothing. It is the kernel's own
   * mark of whose process this is: the program can change its command line, but not this.
   */
  readonly group?: number;
  /**
   * Standard input, output and error, then further descriptors, by position. Nothing else is
   * inherited. A descriptor's file can also be opened as `/proc/self/fd/N`; that is a new open,
   * which checks the file's mode again.
   */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[];
  /**
   * Absolute paths of directories that the program may see, and write as far as their modes allow.
   * They keep their names.
   */
  readonly writable: readonly string[];
  /** The same for single files. */
  readonly writableFiles?: readonly string[];
  /**
   * Absolute paths of directories that the program makes sockets in: with Landlock, and nothing
   * else.
   */
  readonly sockets?: readonly string[];
  /** Positions in `stdio` of descriptors whose files the program opens again to write. */
  readonly reopened?: readonly number[];
  /** Absolute paths that the program may see. They keep their names. */
  readonly readable: readonly string[];
  /** Whether the program reaches the host's network. */
  readonly network: boolean;
  /**
   * The absolute path of a network namespace: the program reaches this network instead. For root
   * alone, and with `network`.
   */
  readonly networkNamespace?: string;
  /**
   * The position in `stdio` of a descriptor that a filter of system calls is read from. It needs
   * namespaces, and the program does not inherit it.
   */
  readonly systemCalls?: number;
  /**
   * Such a filter, which `spawnInJail` makes itself; where there are namespaces, on x86-64. Not
   * with `systemCalls`.
   */
  readonly filter?: FilterOptions;
  /** Whether the program keeps running when this process ends. */
  readonly outlives: boolean;
  readonly limits: JailLimits;
  /** The one processor of the host that it runs on, with all its threads. */
  readonly processor?: number | undefined;
  /** Environment variables besides those that every program in a jail gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A writable path for temporary files, where the program needs one. */
  readonly temporaryDirectory?: string;
  /**
   * Devices that the program may open as far as their modes and its user allow, where they exist. A
   * device of a group is opened as a member of that group.
   */
  readonly devices?: readonly JailDevice[];
  /** Files that the program sees under another name; they need namespaces. */
  readonly binds?: readonly JailBind[];
  /**
   * The program acts on files as root does, with these capabilities and no other: real root for
   * root; for an ordinary user a root whose powers are limited to that user's own files. `identity`
   * is then not used.
   */
  readonly rootCapabilities?: readonly RootCapability[];
  /**
   * The program builds further namespaces for itself and needs `/tmp` as a mount point for that.
   */
  readonly confinesItself?: boolean;
  /**
   * The program binds ports below 1024. Only with a user id of its own, and without namespaces: in
   * a user namespace no capability reaches the host's network.
   */
  readonly lowPorts?: boolean;
}

/** Names after `CAP_`, lower case. */
export type RootCapability =
  | 'chown'
  | 'dac_override'
  | 'fowner'
  | 'fsetid'
  | 'setgid'
  | 'setpcap'
  | 'setuid'
  | 'sys_chroot';

export interface JailDevice {
  /** Its absolute path. */
  readonly path: string;
  /** The group whose members may open it; undefined: it takes no group. */
  readonly group: number | undefined;
}

export interface JailBind {
  /**
   * A path, or the position in `stdio` of a descriptor that names a file or directory; the program
   * does not inherit it.
   */
  readonly source: string | number;
  readonly target: string;
  readonly readonly: boolean;
  /** Whether it is a single file. */
  readonly file?: boolean;
}
