// The disk that changes go to: the host has all of it, at any time.
import { readFileSync } from 'node:fs';
import { chown, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launchSpecText } from '@a3s-box/policies';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { identityFor } from '../../../src/jail/identity.ts';
import { HostileHost, linesOf, specOf } from './host.ts';

const MIB = 2 ** 20;
const DISK_BYTES = 140 * 2 ** 20;
/** Writes what only the guest knew before, a megabyte of it. */
const SCRIPT = [
  'if [ -e /kept ]; then echo there; else echo gone; fi',
  'M=$(head -c 32 /dev/urandom | sha256sum | head -c 64)',
  'for i in $(seq 16384); do echo $M; done > /kept',
  'sync',
  'echo $M',
  'exec sleep 1000',
].join('; ');

let host: HostileHost;
beforeAll(async () => {
  host = await HostileHost.open();
});
afterAll(() => host?.leave());

it('encrypts the writable layer against the host, and does not reuse it in a later run', async () => {
  const layer = await host.layer('layer');
  const admitted = launchSpecText(specOf([layer], SCRIPT, 'encrypted-disk'));
  const changes = join(host.root, 'changes');
  await writeFile(changes, '');
  await truncate(changes, DISK_BYTES);
  const { uid, gid } = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);
  if (process.geteuid?.() === 0) await chown(changes, uid, gid);
  const launch = { disks: [layer.path], admitted, changes };

  const first = await host.start(launch);
  const [before, one = ''] = await linesOf(first.guest, 'main', 2);
  expect(before).toBe('gone');
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  // It was written to, and yet nothing of it can be read.
  expect((await stat(changes)).blocks * 512).toBeGreaterThan(2 ** 20);
  expect(readFileSync(changes).includes(one)).toBe(false);
  await host.endVms();
  expect(readFileSync(changes).includes(one)).toBe(false);

  // The same box, and the very disk that it had: its key is gone.
  const again = await host.start(launch);
  const [after, two = ''] = await linesOf(again.guest, 'main', 2);
  expect(after).toBe('gone');
  expect(two).not.toBe(one);
  const disk = readFileSync(changes);
  for (const text of [one, two, '/kept']) expect(disk.includes(text), text).toBe(false);
  await rm(changes);
});

it('refuses a writable layer that has no room for the size of the launch spec, and ends', async () => {
  const layer = await host.layer('sized');
  const { rootfs, ...rest } = specOf([layer], SCRIPT, 'encrypted-disk');
  const admitted = launchSpecText({ ...rest, rootfs: { ...rootfs, changesBytes: 140 * MIB } });
  const changes = join(host.root, 'small');
  await writeFile(changes, '');
  await truncate(changes, DISK_BYTES);
  const { uid, gid } = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);
  if (process.geteuid?.() === 0) await chown(changes, uid, gid);
  const { vm, guest } = await host.launch({ disks: [layer.path], admitted, changes });
  const refused = guest.putLaunchSpec(admitted);
  await expect(refused).rejects.toMatchObject({ code: 'launch-spec-mismatch' });
  await expect(refused).rejects.toThrow('and it has to have 146800640');
  expect(await vm.exited).toMatchObject({ reason: 'poweroff' });
  await rm(changes);
});
