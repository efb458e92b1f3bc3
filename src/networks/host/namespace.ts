/**
 * Network namespaces of the host that have a name: a file on which the namespace is mounted.
 *
 * @module
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { once } from '../../async/once.ts';
import { A3sError } from '../../errors.ts';
import { libc } from './libc.ts';
import { isMounted } from './mount-table.ts';
import { runProgram } from './run-program.ts';

const CLONE_NEWNET = 0x4000_0000;

/** Makes a namespace in which only the loopback device is up. */
export async function makeNamespace(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o600 });
  await runProgram('unshare', [`--net=${path}`, 'ip', 'link', 'set', 'lo', 'up']);
}

/**
 * Removes the name, also while a process that is about to end has the file open. The namespace ends
 * with the last process and descriptor that uses it.
 */
export async function removeNamespace(path: string): Promise<void> {
  // One name may cover another.
  while (isMounted(path)) await runProgram('umount', ['--lazy', path]);
  await rm(path, { force: true });
}

/**
 * Runs synchronous work in a network namespace: devices that it makes, and files below
 * `/proc/sys/net`, are those of the namespace. Only the calling thread changes its namespace, and
 * runs nothing else meanwhile.
 *
 * @throws A3sError `network-failed` where the file is no namespace
 */
export async function inNamespace<T>(path: string, work: () => T): Promise<T> {
  const { setns, errno } = await libc();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const other = openSync(path, 'r');
    try {
      if (setns(other, CLONE_NEWNET) !== 0) {
        throw new A3sError('network-failed', `Cannot enter ${path}: error ${errno()}`, {
          remedy: 'See a3s-box info for what this host lacks.',
        });
      }
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      // Whatever this thread did next would happen in the network of a box.
      if (setns(own, CLONE_NEWNET) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

/**
 * Whether a thread of this process can come back from another network namespace: not where the
 * process is the root of a user namespace, and its own network is the host's.
 */
export const canReturn = once(async (): Promise<boolean> => {
  const { setns } = await libc();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    return setns(own, CLONE_NEWNET) === 0;
  } finally {
    closeSync(own);
  }
});

/** Reads lines of a path and a value. */
const WRITE = 'while read -r path value; do echo "$value" > "$path" || exit 1; done';

/** Writes settings of a network namespace, by their names below `/proc/sys/net`. */
export async function writeSettings(
  path: string,
  settings: Readonly<Partial<Record<'ipv4' | 'ipv6', Readonly<Record<string, number>>>>>,
): Promise<void> {
  const values = Object.entries(settings).flatMap(([family, of]) =>
    Object.entries(of).map(([name, value]) => [`/proc/sys/net/${family}/${name}`, value] as const),
  );
  if (await canReturn()) {
    await inNamespace(path, () => {
      for (const [file, value] of values) writeFileSync(file, String(value));
    });
    return;
  }
  const input = values.map(([file, value]) => `${file} ${value}\n`).join('');
  await runProgram('nsenter', [`--net=${path}`, '--', '/bin/sh', '-c', WRITE], { input });
}
