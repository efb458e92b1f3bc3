/**
 * The flags of `run` and `create`.
 *
 * @module
 */
import { CONFIDENTIAL_FLAGS } from './confidential-flags.ts';
import { EGRESS_FLAGS, EGRESS_SECRET_FLAG } from './egress-flags.ts';
import { bool, byName, type Flag, int, list, refused, string } from './flag.ts';
import { FROM_SNAPSHOT_FLAG } from './from-snapshot-flag.ts';
import { HEALTH_FLAGS } from './health-flags.ts';
import { IMAGE_FLAGS } from './image-flags.ts';
import { CREATE_LIMIT_FLAGS, LIMIT_FLAGS, REFUSED_LIMIT_FLAGS } from './resource-flags.ts';
import { SECURITY_FLAGS } from './security-flags.ts';

const VM = 'a box is a microVM, and shares no namespace or device with the host';
const WINDOWS = 'it is for Windows';

/** The flags of both. */
const COMMON: readonly Flag[] = [
  ...IMAGE_FLAGS,
  ...CONFIDENTIAL_FLAGS,
  ...LIMIT_FLAGS,
  ...CREATE_LIMIT_FLAGS,
  ...SECURITY_FLAGS,
  ...HEALTH_FLAGS,
  ...EGRESS_FLAGS,
  EGRESS_SECRET_FLAG,
  list('add-host', 'Add a custom host-to-IP mapping (host:ip)', { value: 'host' }),
  list('attach', 'Attach to STDIN, STDOUT or STDERR', { short: 'a', value: 'stream' }),
  string('cidfile', 'Write the ID of the box to the file', { value: 'file' }),
  string('detach-keys', 'Override the key sequence for detaching from a box'),
  list('dns', 'Set custom DNS servers', { value: 'address' }),
  list('dns-option', 'Set DNS options', { value: 'option', alias: 'dns-opt' }),
  list('dns-search', 'Set custom DNS search domains', { value: 'domain' }),
  string('engine', 'Engine of the microVM: qemu or krun (see a3s-box info)', { value: 'engine' }),
  string('entrypoint', 'Overwrite the default ENTRYPOINT of the image'),
  list('env', 'Set environment variables', { short: 'e' }),
  list('env-file', 'Read in a file of environment variables', { value: 'file' }),
  list('expose', 'Expose a port or a range of ports', { value: 'port' }),
  string('hostname', 'Host name of the box', { short: 'h' }),
  bool('init', 'Run an init inside the box that forwards signals and reaps processes'),
  bool('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
  string('isolation', 'Isolation technology: default, which is the only one'),
  list('label', 'Set meta data on a box', { short: 'l' }),
  list('label-file', 'Read in a line delimited file of labels', { value: 'file' }),
  string('log-driver', 'Logging driver of the box: json-file (default), local or none'),
  list('link', 'Give the box another name for a box of the same network, or of the default one', {
    value: 'box:alias',
  }),
  list('log-opt', 'Log driver options', { value: 'option' }),
  list('mount', 'Attach a filesystem mount to the box', { value: 'mount' }),
  string('name', 'Assign a name to the box'),
  string('ip', 'IPv4 address in a user-defined network (e.g., 172.30.100.104)', {
    value: 'address',
  }),
  string('ip6', 'IPv6 address in a user-defined network (e.g., 2001:db8::33)', {
    value: 'address',
  }),
  list('link-local-ip', 'IPv4 link-local address, which the box alone reaches', {
    value: 'address',
  }),
  string('mac-address', 'MAC address in a user-defined network', { value: 'address' }),
  list('network', 'Network of the box: default, none or a user-defined one', {
    value: 'network',
    alias: 'net',
  }),
  list('network-alias', 'Add network-scoped alias for the box', {
    value: 'alias',
    alias: 'net-alias',
  }),
  list('publish', "Publish a box's port(s) to the host; its RA-TLS port is ratls", {
    short: 'p',
  }),
  bool('publish-all', 'Publish all exposed ports to random ports', { short: 'P' }),
  bool('read-only', "Mount the box's root filesystem as read only"),
  bool('rm', 'Automatically remove the box when it exits'),
  string('shm-size', 'Size of /dev/shm', { value: 'bytes' }),
  string('stop-signal', 'Signal to stop the box'),
  int('stop-timeout', 'Timeout (in seconds) to stop a box'),
  list('storage-opt', 'Storage options of the box: size=BYTES of its writable layer', {
    value: 'option',
  }),
  list('tmpfs', 'Mount a tmpfs directory', { value: 'path' }),
  bool('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  string('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  list('volume', 'Bind mount a volume', { short: 'v' }),
  string('volume-driver', 'Optional volume driver for the box'),
  list('volumes-from', 'Mount volumes from the specified box(es)'),
  string('workdir', 'Working directory inside the box', { short: 'w' }),
];

const ONLY_RUN: readonly Flag[] = [
  FROM_SNAPSHOT_FLAG,
  bool('detach', 'Run box in background and print its ID', { short: 'd' }),
  bool('sig-proxy', 'Proxy received signals to the process', { on: true }),
];

/** Docker's other flags, each with the reason for its refusal. */
const REFUSED: readonly Flag[] = [
  ...REFUSED_LIMIT_FLAGS,
  refused('cgroup-parent', VM),
  refused('cpu-count', WINDOWS),
  refused('cpu-percent', WINDOWS),
  refused('disable-content-trust', 'trust is never switched off by a flag', 'bool'),
  refused('gpus', VM),
  refused('io-maxbandwidth', WINDOWS),
  refused('io-maxiops', WINDOWS),
];

export const CREATE_FLAGS: readonly Flag[] = byName([
  ...COMMON.filter((flag) => flag.name !== 'detach-keys'),
  ...REFUSED,
]);

export const RUN_FLAGS: readonly Flag[] = byName([...COMMON, ...ONLY_RUN, ...REFUSED]);
