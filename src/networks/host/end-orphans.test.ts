import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endOrphans } from './end-orphans.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-orphans-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

/** A process that waits, with such arguments. */
async function start(argv0: string, ...args: readonly string[]): Promise<ChildProcess> {
  return await startAs({}, argv0, ...args);
}

async function startAs(
  user: { readonly uid?: number },
  argv0: string,
  ...args: readonly string[]
): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'echo up; read _', ...args], { argv0, ...user });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

it('ends programs that change these networks for another server, and no others', async () => {
  const config = join(directory, 'netavark');
  const [ready, starting] = ['ready.pid', 'starting.pid'].map((name) => join(directory, name));
  const ended = [
    await start('/usr/lib/podman/netavark', '--config', config, 'setup'),
    await start('nsenter', '--net=x', config),
    await start('pasta', '--pid', starting ?? ''),
  ];
  const kept = [
    await start('/usr/lib/podman/netavark', '--config', `${directory}2/netavark`),
    await start('vi', config),
    await start('vi', '--pid', starting ?? ''),
    await start('pasta', '--pid', ready ?? ''),
    await start('pasta', '--pid', `${directory}2/x.pid`),
  ];
  writeFileSync(ready ?? '', String(kept[3]?.pid));
  const ends = Promise.all(ended.map((child) => once(child, 'exit')));
  await endOrphans({ directory, identity: undefined });
  expect(await ends).toEqual(ended.map(() => [null, 'SIGKILL']));
  expect(kept.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual(
    kept.map(() => [null, null]),
  );
});

it('ends a DNS server whose start was cut off, and keeps the one that has written its number', async () => {
  const config = join(directory, 'netavark/aardvark-dns');
  mkdirSync(config, { recursive: true });
  const own = ['--config', config, 'run'];
  const [server, other, ...starting] = [
    await start('/usr/lib/podman/aardvark-dns', ...own),
    await start('aardvark-dns', '--config', `${directory}2/netavark/aardvark-dns`),
    await start('aardvark-dns', ...own),
    await start('/usr/bin/bwrap', '--ro-bind', config, config, '--', 'aardvark-dns', ...own),
    await start('nsenter', '--net=x', '--', 'prlimit', '--', 'aardvark-dns', ...own),
  ];
  writeFileSync(join(config, 'aardvark.pid'), String(server?.pid));
  const ends = Promise.all(starting.map((child) => once(child, 'exit')));
  await endOrphans({ directory, identity: undefined });
  expect(await ends).toEqual(starting.map(() => [null, 'SIGKILL']));
  expect([server?.signalCode, other?.signalCode]).toEqual([null, null]);
});

it.runIf(process.getuid?.() === 0)('ends a DNS server that is its own user already', async () => {
  const user = { uid: 65_534 };
  const config = join(directory, 'netavark/aardvark-dns');
  const starting = await startAs(user, 'aardvark-dns', '--config', config);
  const end = once(starting, 'exit');
  await endOrphans({ directory, identity: { ...user, gid: 65_534 } });
  expect(await end).toEqual([null, 'SIGKILL']);
});

it.runIf(process.getuid?.() === 0)('leaves processes of other users alone', async () => {
  const pidFile = join(directory, 'x.pid');
  const other = await startAs({ uid: 65_534 }, 'pasta', '--pid', pidFile);
  await endOrphans({ directory, identity: undefined });
  expect([other.exitCode, other.signalCode]).toEqual([null, null]);
});
