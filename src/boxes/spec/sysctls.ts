/**
 * Settings of the guest's kernel that a box may choose: those that its namespaces have for
 * themselves, as in Docker.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** The settings of an IPC namespace, besides those below `fs/mqueue`. */
const IPC = ['msgmax', 'msgmnb', 'msgmni', 'sem', 'shm_rmid_forced', 'shmall', 'shmmax', 'shmmni'];
const NAMESPACED = [...IPC.map((name) => `kernel/${name}`), 'kernel/domainname'];

export interface Sysctl {
  /** Below `/proc/sys`. */
  readonly path: string;
  readonly value: string;
}

/**
 * The settings by their paths. What the first separator of a name is, dot or slash, separates.
 *
 * @throws A3sError `invalid-argument` in the words of runc
 */
export function sysctlsOf(
  asked: Readonly<Record<string, string>>,
  domainname: string,
): readonly Sysctl[] {
  const settings = Object.entries(asked).map(([name, value]) => ({ path: pathOf(name), value }));
  for (const [at, { path }] of settings.entries()) {
    const shown = JSON.stringify(path.replaceAll('/', '.').slice(0, 128));
    if (path === 'kernel/hostname') {
      throw invalid(`sysctl ${shown} is not allowed as it conflicts with the OCI "hostname" field`);
    }
    if (path === 'kernel/domainname' && domainname !== '') {
      throw invalid(`sysctl ${shown} is not allowed as it conflicts with Domainname`);
    }
    const parts = path.split('/');
    const known = NAMESPACED.includes(path) || /^(net|fs\/mqueue)\/./.test(path);
    if (!known || parts.some((part) => ['', '.', '..'].includes(part)) || path.length > 256) {
      throw invalid(`sysctl ${shown} is not in a separate kernel namespace`);
    }
    if (settings.findIndex((other) => other.path === path) < at) {
      throw invalid(`sysctl ${shown} is there twice`);
    }
  }
  return settings;
}

function pathOf(name: string): string {
  const [separator] = /[./]/.exec(name) ?? [];
  if (separator === '/') return name;
  return name.replace(/[./]/g, (each) => (each === '.' ? '/' : '.'));
}

function invalid(message: string): A3sError {
  return new A3sError('invalid-argument', message, {
    remedy: 'Settings are those of the network (net.*), of System V IPC and of message queues.',
  });
}
