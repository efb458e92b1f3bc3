/**
 * The flags of `run` and `create` for what the processes of a box may do.
 *
 * @module
 */
import { bool, type Flag, int, list, string } from './flag.ts';

export const SECURITY_FLAGS: readonly Flag[] = [
  list('annotation', 'Add an annotation to the box'),
  list('cap-add', 'Add Linux capabilities'),
  list('cap-drop', 'Drop Linux capabilities'),
  string('cgroupns', 'Cgroup namespace: private'),
  list('device', "Add a device of the box's own kernel: /dev/fuse or /dev/net/tun"),
  list('device-cgroup-rule', 'Let the box open devices of its own kernel that it makes nodes of', {
    value: 'rule',
  }),
  string('domainname', 'NIS domain name of the box'),
  list('group-add', 'Add additional groups to join'),
  string('ipc', 'IPC namespace: private or shareable; none is private, without /dev/shm'),
  int('oom-score-adj', "Tune the box kernel's OOM preferences (-1000 to 1000)"),
  string('pid', 'PID namespace, which is always the own one'),
  bool('privileged', 'Give all capabilities and devices of the microVM to the box'),
  string('runtime', 'Runtime, of which there is one; runc means it too'),
  list('security-opt', 'Security options'),
  list('sysctl', 'Sysctl options'),
  string('userns', 'User namespace: private'),
  string('uts', 'UTS namespace, which is always the own one'),
];
