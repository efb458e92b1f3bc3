/**
 * File servers for host paths that a box mounts: one virtiofsd each.
 *
 * Docker's semantics need a server that acts as the guest's user does: root in the box writes
 * root's files. So root's virtiofsd keeps user id 0 with six capabilities over files and identities
 * (no mknod, no setfcap, no sys_admin). Its file tree holds the shared path alone, it is chrooted
 * there, and it has no network. An ordinary user's virtiofsd acts as that user for every user of
 * the guest. A single file is bound into an empty directory, so its siblings are not there at all.
 * `:ro` is a read-only mount of the host's kernel: neither guest, VMM nor virtiofsd can write
 * through it.
 *
 * @module
 */
import { lchown } from 'node:fs/promises';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { jailGroup } from '../../jail/identity.ts';
import type { JailIdentity, RootCapability } from '../../jail/jail.ts';
import { jailFeatures, jailHost } from '../../jail/spawn.ts';
import { findTool } from '../../jail/tools.ts';
import { deadline } from '../deadline.ts';
import { ownProcessors, sharedProcessor } from '../processes/shared-processor.ts';
import type { Share } from '../vm/devices.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { Helper } from './helper.ts';
import { listensInJail } from './listening.ts';
import { resolveShare } from './resolve-share.ts';

/** Where the shared path is in the file tree of its server. */
export const SHARED = '/share';
/** The position of the first descriptor that a helper is given besides its standard ones. */
const HELD = 3;
const READY_MS = 10_000;
/**
 * It holds a descriptor of each file whose name the guest’s kernel remembers, so this is how large
 * a tree programs can walk through without being refused. The host’s kernel keeps about 1.5 kB for
 * each. The servers of a box share the first number, and each has the second at least.
 */
const OPEN_FILES = { ofBox: 1_048_576, ofServer: 262_144 };
/**
 * With fewer than these a tree of usual size would be refused. The guest’s kernel then forgets each
 * name as soon as no program uses it, at the price of a round trip for each lookup and read.
 */
export const FEW_FILES = 16_384;
/** Its memory for as many files; the guest's own memory does not count. */
const DATA_BYTES = 512 * 2 ** 20;
/** Threads; of root's none is counted. */
const PROCESSES = 1024;

/**
 * virtiofsd gives up `setpcap` and `sys_chroot` itself, once it is in its root and has dropped all
 * others.
 */
const CAPABILITIES: readonly RootCapability[] = [
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'setgid',
  'setuid',
  'setpcap',
  'sys_chroot',
];
const ALL_IDS = 2 ** 32 - 1;

export function shareSocket(runtimeDir: string, index: number): string {
  return `${runtimeDir}/fs${index}.sock`;
}

/** What the file servers of a VM have in common. */
export interface FileServers {
  readonly runtimeDir: string;
  readonly identity: JailIdentity;
  /** How many there are. */
  readonly count: number;
  /** The VMM asks the server for the tag of its share, as libkrun does. */
  readonly asksForTag?: boolean;
  /** Processors of the host that the box may have; absent: all. */
  readonly processors?: readonly number[] | undefined;
}

export function fileServers({ runtimeDir, identity, shares, hostLimits }: VmSpec): FileServers {
  return { runtimeDir, identity, count: shares.length, processors: hostLimits?.processors };
}

/** How a file server acts, whatever it shares. */
export interface FileServerOptions {
  /** Whether it acts as every user of the box, or as one user for all. */
  readonly root: boolean;
  /** How many files it may have open. */
  readonly openFiles: number;
  /** What it names its share to a VMM that asks. */
  readonly tag?: string | undefined;
}

export function virtiofsdArguments(
  socket: string,
  { readonly, mountsBelow = false }: Pick<Share, 'readonly' | 'mountsBelow'>,
  { root, openFiles, tag }: FileServerOptions,
): string[] {
  const squash = `squash-guest:0:0:${ALL_IDS}`;
  return [
    `--socket-path=${socket}`,
    `--shared-dir=${SHARED}`,
    '--sandbox=chroot',
    '--seccomp=kill',
    '--log-level=error',
    // The jail sets this limit.
    '--rlimit-nofile=0',
    ...(tag === undefined ? [] : [`--tag=${tag}`]),
    // Without the second, shared mappings would be refused.
    ...(openFiles < FEW_FILES ? ['--cache=never', '--allow-mmap'] : []),
    ...(readonly ? ['--readonly'] : []),
    ...(mountsBelow ? ['--no-announce-submounts'] : []),
    ...(root
      ? ['--modcaps=-mknod:-setfcap']
      : [
          '--modcaps=-mknod:-setfcap:-setuid:-setgid',
          `--translate-uid=${squash}`,
          `--translate-gid=${squash}`,
        ]),
  ];
}

/**
 * Starts the server of one share and waits until it listens.
 *
 * @param path of what is started; absent: virtiofsd
 * @throws A3sError `bind-source-missing`, `bind-source-changed`, `tool-missing`, `vmm-failed`;
 * `state-unusable` without namespaces
 */
export async function startVirtiofsd(
  share: Share,
  index: number,
  servers: FileServers,
  signal: AbortSignal,
  path?: string,
): Promise<Helper> {
  const { runtimeDir, identity, count, asksForTag = false } = servers;
  const tag = asksForTag ? share.tag : undefined;
  const features = await jailFeatures();
  if (!features.namespaces) {
    throw new A3sError(
      'state-unusable',
      `Cannot mount ${share.path}: a file server needs namespaces of its own (${features.reason ?? ''})`,
      { remedy: 'Install bubblewrap, and allow user namespaces.' },
    );
  }
  const { source, name, held } = await resolveShare(share);
  const target = name === undefined ? SHARED : `${SHARED}/${name}`;
  await using _ = held;
  const socket = shareSocket(runtimeDir, index);
  signal.throwIfAborted();
  const { hardLimits } = await jailHost();
  const wanted = Math.max(OPEN_FILES.ofServer, Math.floor(OPEN_FILES.ofBox / count));
  const openFiles = Math.min(wanted, hardLimits.get('nofile') ?? wanted);
  const readonly = share.readonly || share.mountsBelow === true;
  const program = {
    path: path ?? (await findTool('virtiofsd')),
    args: virtiofsdArguments(socket, share, { root: features.identity, openFiles, tag }),
    identity,
    group: jailGroup(runtimeDir),
    rootCapabilities: CAPABILITIES,
    writable: [runtimeDir],
    readable: [],
    binds: [{ source: held === undefined ? source : HELD, target, readonly }],
    network: false,
    filter: { memoryFiles: false, chroots: true },
    limits: { openFiles, dataBytes: DATA_BYTES, processes: PROCESSES },
    processor: sharedProcessor(servers, await ownProcessors()),
  };
  const fds = held === undefined ? [] : [held.fd];
  const helper = await Helper.start(`virtiofsd for ${share.path}`, program, fds);
  const waiting = AbortSignal.any([
    signal,
    helper.ended,
    deadline(READY_MS, 'vmm-failed', 'virtiofsd did not listen'),
  ]);
  try {
    await retry(() => listensInJail(socket, runtimeDir), waiting);
    // The VMM, which is not root, must be able to connect. The path must not lead through a link
    // that the box's user might have put there.
    await lchown(socket, identity.uid, identity.gid);
    return helper;
  } catch (error) {
    helper.release();
    throw error;
  }
}
