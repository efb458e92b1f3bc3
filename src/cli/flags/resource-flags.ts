/**
 * The resource limits of a box: the flags that `run`, `create` and `update` share, and those of
 * `run` and `create` alone.
 *
 * @module
 */
import { bool, type Flag, int, list, refused, string } from './flag.ts';

const REALTIME = 'no process of a box is scheduled in real time';
const NODES = 'the memory of a box is one node';
const DISCARDED = 'discarded with a warning, as where a kernel lacks it';

/** Limits that can change while the box exists. */
export const LIMIT_FLAGS: readonly Flag[] = [
  int('blkio-weight', `Block IO (relative weight): ${DISCARDED}`),
  int('cpu-period', 'Limit CPU time: the period, in microseconds'),
  int('cpu-quota', 'Limit CPU time: how much of each period, in microseconds'),
  int('cpu-shares', 'CPU shares (relative weight)', { short: 'c' }),
  string('cpus', 'Number of CPUs', { value: 'decimal' }),
  string('cpuset-cpus', 'CPUs of the host in which to allow execution (0-3, 0,1)'),
  string('kernel-memory', `Kernel memory limit: ${DISCARDED}`, { value: 'bytes' }),
  string('memory', 'Memory limit', { short: 'm', value: 'bytes' }),
  string('memory-reservation', 'Memory soft limit', { value: 'bytes' }),
  string('memory-swap', 'Memory plus swap; a box has no swap, so it is the limit itself, or -1', {
    value: 'bytes',
  }),
  int('pids-limit', 'Limit of processes and threads (-1 for unlimited)'),
  string('restart', 'Restart policy: no (default), on-failure[:max], always or unless-stopped', {
    value: 'policy',
  }),
];

/** Limits that are set when the box is created. */
export const CREATE_LIMIT_FLAGS: readonly Flag[] = [
  list('blkio-weight-device', `Block IO weight of a device: ${DISCARDED}`, { value: 'device' }),
  list('device-read-bps', 'Limit bytes per second read from the disk: /dev/root:RATE'),
  list('device-read-iops', 'Limit reads per second from the disk: /dev/root:RATE'),
  list('device-write-bps', 'Limit bytes per second written to the disk: /dev/root:RATE'),
  list('device-write-iops', 'Limit writes per second to the disk: /dev/root:RATE'),
  int('memory-swappiness', `Tune memory swappiness (0 to 100): ${DISCARDED}`),
  bool('oom-kill-disable', `Disable the OOM killer: ${DISCARDED}`),
  list('ulimit', 'Ulimit options: NAME=SOFT[:HARD]', { value: 'ulimit' }),
];

/** Flags that are refused wherever limits are given. */
export const REFUSED_LIMIT_FLAGS: readonly Flag[] = [
  refused('cpu-rt-period', REALTIME),
  refused('cpu-rt-runtime', REALTIME),
  refused('cpuset-mems', NODES),
];
