/**
 * `podman system service`, with runc: an engine that speaks Docker's API without Docker, to hold ours against.
 *
 * As in the benchmarks it lives in namespaces of its own with storage of its own, and what it starts ends with them.
 * Its socket lies outside: paths of sockets know no network namespaces.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../e2e/processes.ts';

export interface PodmanService {
  readonly socket: string;
  stop(): Promise<void>;
}

/** `/run` and `/var/lib` are podman's own; the shell reaps what loses its parent, as a first process has to. */
const FIRST_PROCESS = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
ip link set lo up
"$@"
exit $?`;

/** Nothing of the host's configuration. */
const CONFIGURATION = `[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
log_driver = "k8s-file"
`;

const CGROUPS = '/sys/fs/cgroup';
/** What podman puts its containers' groups into; it never removes it. */
const CGROUP = 'libpod_parent';

/** Undefined where podman, runc or the right to make namespaces is not at hand. */
export async function startPodmanService(): Promise<PodmanService | undefined> {
  if (!isAtHand()) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'a3s-podman-'));
  const at = (name: string): string => join(directory, name);
  writeFileSync(at('containers.conf'), CONFIGURATION);
  const before = new Set(controlGroups());
  const socket = at('podman.sock');
  const storage = ['--root', at('root'), '--runroot', at('run'), '--storage-driver', 'overlay'];
  const service = ['system', 'service', '--time=0', `unix://${socket}`];
  const podman = ['podman', '--runtime', 'runc', ...storage, ...service];
  const child = spawn('unshare', [...NAMESPACES, 'sh', '-c', FIRST_PROCESS, 'sh', ...podman], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: directory,
      CONTAINERS_CONF: at('containers.conf'),
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
    },
  });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await until('podman has ended', () => ended);
    for (const path of controlGroups().filter((group) => !before.has(group))) {
      // The kernel takes its time with the dead.
      await until(`${path} is empty`, () => removeGroup(path));
    }
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until('podman answers', () => {
      if (ended) throw new Error('podman system service ended');
      return answers(socket);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, stop };
}

const NAMESPACES = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

function isAtHand(): boolean {
  try {
    execFileSync('podman', ['--version'], { stdio: 'ignore' });
    execFileSync('runc', ['--version'], { stdio: 'ignore' });
    execFileSync('unshare', [...NAMESPACES, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}

/** Of either version, in whichever hierarchies this host has. */
function controlGroups(): readonly string[] {
  const hierarchies = readdirSync(CGROUPS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(CGROUPS, entry.name));
  return [CGROUPS, ...hierarchies].map((path) => join(path, CGROUP)).filter(existsSync);
}

/** Removes a group and those below; false while somebody is in one of them. */
function removeGroup(path: string): boolean {
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (!below.every((entry) => removeGroup(join(path, entry.name)))) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}
