/**
 * The flags of `run` and `create`.
 *
 * @module
 */
import { FROM_SNAPSHOT_FLAG } from '../fork-request.ts';
import { CONFIDENTIAL_FLAGS } from './confidential-flags.ts';
import { bool, byName, type Flag, int, list, refused, string } from './flag.ts';
import { IMAGE_FLAGS } from './image-flags.ts';

const RESOURCES = 'the box is limited by --cpus and --memory alone';
const CONFINEMENT = 'every box has the one confinement, and none can be loosened';
const NETWORK = 'a box has its own outbound network, or --network none';
const VM = 'a box is a virtual machine, and shares no namespace or device with the host';
const HEALTH = 'health checks are not implemented';
const VOLUMES = 'only host paths can be mounted, with -v';
const IO = 'disk bandwidth cannot be limited';
const WINDOWS = 'it is for Windows';

/** What both take. */
const COMMON: readonly Flag[] = [
  ...IMAGE_FLAGS,
  ...CONFIDENTIAL_FLAGS,
  string('cpus', 'Number of CPUs', { value: 'decimal' }),
  string('detach-keys', 'Override the key sequence for detaching from a box'),
  string('entrypoint', 'Overwrite the default ENTRYPOINT of the image'),
  list('env', 'Set environment variables', { short: 'e' }),
  list('env-file', 'Read in a file of environment variables'),
  string('hostname', 'Host name of the box', { short: 'h' }),
  bool('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
  list('label', 'Set meta data on a box', { short: 'l' }),
  list('label-file', 'Read in a line delimited file of labels'),
  string('memory', 'Memory limit', { short: 'm', value: 'bytes' }),
  string('name', 'Assign a name to the box'),
  string('network', 'Network of the box: default or none', { value: 'network', alias: 'net' }),
  list('publish', "Publish a box's TCP port(s) to the host; its RA-TLS port is ratls", {
    short: 'p',
  }),
  bool('rm', 'Automatically remove the box when it exits'),
  string('stop-signal', 'Signal to stop the box'),
  int('stop-timeout', 'Timeout (in seconds) to stop a box'),
  bool('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  string('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  list('volume', 'Mount a path of the host', { short: 'v' }),
  string('workdir', 'Working directory inside the box', { short: 'w' }),
];

const ONLY_RUN: readonly Flag[] = [
  FROM_SNAPSHOT_FLAG,
  bool('detach', 'Run box in background and print its ID', { short: 'd' }),
  bool('sig-proxy', 'Proxy received signals to the process', { on: true }),
];

/** Docker's other flags, each with why it is refused. */
const REFUSED: readonly Flag[] = [
  refused('add-host', NETWORK, 'list'),
  refused('annotation', 'annotations are not kept', 'list'),
  refused('attach', 'stdout and stderr are attached, and stdin with -i', 'list', 'a'),
  refused('blkio-weight', IO),
  refused('blkio-weight-device', IO, 'list'),
  refused('cap-add', CONFINEMENT, 'list'),
  refused('cap-drop', CONFINEMENT, 'list'),
  refused('cgroup-parent', VM),
  refused('cgroupns', VM),
  refused('cidfile', 'use -d, which prints the ID'),
  refused('cpu-count', WINDOWS),
  refused('cpu-percent', WINDOWS),
  refused('cpu-period', RESOURCES),
  refused('cpu-quota', RESOURCES),
  refused('cpu-rt-period', RESOURCES),
  refused('cpu-rt-runtime', RESOURCES),
  refused('cpu-shares', RESOURCES, 'string', 'c'),
  refused('cpuset-cpus', RESOURCES),
  refused('cpuset-mems', RESOURCES),
  refused('device', VM, 'list'),
  refused('device-cgroup-rule', VM, 'list'),
  refused('device-read-bps', IO, 'list'),
  refused('device-read-iops', IO, 'list'),
  refused('device-write-bps', IO, 'list'),
  refused('device-write-iops', IO, 'list'),
  refused('disable-content-trust', 'trust is never switched off by a flag', 'bool'),
  refused('dns', NETWORK, 'list'),
  refused('dns-opt', NETWORK, 'list'),
  refused('dns-option', NETWORK, 'list'),
  refused('dns-search', NETWORK, 'list'),
  refused('domainname', NETWORK),
  refused('expose', 'it has no effect of its own; publish with -p', 'list'),
  refused('gpus', VM),
  refused('group-add', 'name user and group with --user', 'list'),
  refused('health-cmd', HEALTH),
  refused('health-interval', HEALTH),
  refused('health-retries', HEALTH),
  refused('health-start-interval', HEALTH),
  refused('health-start-period', HEALTH),
  refused('health-timeout', HEALTH),
  refused('init', 'the agent of the box already reaps processes and forwards signals', 'bool'),
  refused('io-maxbandwidth', WINDOWS),
  refused('io-maxiops', WINDOWS),
  refused('ip', NETWORK),
  refused('ip6', NETWORK),
  refused('ipc', VM),
  refused('isolation', WINDOWS),
  refused('kernel-memory', RESOURCES),
  refused('link', NETWORK, 'list'),
  refused('link-local-ip', NETWORK, 'list'),
  refused('log-driver', 'output is always kept by the server'),
  refused('log-opt', 'output is always kept by the server', 'list'),
  refused('mac-address', NETWORK),
  refused('memory-reservation', RESOURCES),
  refused('memory-swap', RESOURCES),
  refused('memory-swappiness', RESOURCES),
  refused('mount', VOLUMES, 'list'),
  refused('net-alias', NETWORK, 'list'),
  refused('network-alias', NETWORK, 'list'),
  refused('no-healthcheck', HEALTH, 'bool'),
  refused('oom-kill-disable', RESOURCES, 'bool'),
  refused('oom-score-adj', VM),
  refused('pid', VM),
  refused('pids-limit', RESOURCES),
  refused('privileged', CONFINEMENT, 'bool'),
  refused('publish-all', 'name each port with -p', 'bool', 'P'),
  refused('read-only', 'the root file system of a box is always writable', 'bool'),
  refused('restart', 'restart policies are not implemented'),
  refused('runtime', 'there is one runtime'),
  refused('security-opt', CONFINEMENT, 'list'),
  refused('shm-size', RESOURCES),
  refused('storage-opt', RESOURCES, 'list'),
  refused('sysctl', VM, 'list'),
  refused('tmpfs', VOLUMES, 'list'),
  refused('ulimit', RESOURCES, 'list'),
  refused('userns', VM),
  refused('uts', VM),
  refused('volume-driver', VOLUMES),
  refused('volumes-from', VOLUMES, 'list'),
];

export const CREATE_FLAGS: readonly Flag[] = byName([
  ...COMMON.filter((flag) => flag.name !== 'detach-keys'),
  ...REFUSED,
]);

export const RUN_FLAGS: readonly Flag[] = byName([...COMMON, ...ONLY_RUN, ...REFUSED]);
