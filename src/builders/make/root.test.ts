import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { elfNeeded } from '../../boot/make/elf.ts';
import { FILES, makeRoot } from './root.ts';
import { LOOPBACK_RULE, START } from './start-script.ts';

it('names the libraries that a program loads, and none of a script', () => {
  expect(elfNeeded(readFileSync('/bin/ls'))).toContain('libc.so.6');
  expect(elfNeeded(readFileSync('/bin/busybox'))).toEqual([]);
  expect(elfNeeded(Buffer.from('#!/bin/sh\n'.repeat(20)))).toEqual([]);
});

it('gives dockerd its proxy of ports, without which it would route the loopback of its bridge', () => {
  expect(JSON.parse(FILES['etc/docker/daemon.json'] ?? '')).toMatchObject({
    'userland-proxy': true,
  });
});

it('closes the loopback to steps before dockerd runs, and ends where it cannot', () => {
  const lines = START.split('\n');
  expect(lines[1]).toBe('set -e');
  const daemon = lines.findIndex((line) => line.startsWith('exec dockerd'));
  expect(lines.slice(0, daemon)).toContain(LOOPBACK_RULE);
});

it('makes git use the proxy of the daemon, in place of what BuildKit gives it', () => {
  expect(FILES['usr/lib/a3s-builder/git']).toContain('https_proxy=http://127.0.0.1:3128\n');
});

it('refuses packages that lack a program, and names it', async () => {
  const work = mkdtempSync(join(tmpdir(), 'root-'));
  try {
    const busybox = join(work, 'unpacked/usr/bin/busybox');
    mkdirSync(dirname(busybox), { recursive: true });
    writeFileSync(busybox, readFileSync('/bin/busybox'));
    mkdirSync(join(work, 'root'));
    await expect(makeRoot(join(work, 'unpacked'), join(work, 'root'))).rejects.toMatchObject({
      message: 'Cannot make the builder: no package has /usr/sbin/dockerd',
    });
    expect(existsSync(join(work, 'root/usr/bin/busybox'))).toBe(true);
  } finally {
    rmSync(work, { recursive: true });
  }
});
