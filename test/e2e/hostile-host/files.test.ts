// A host changes disks where they are stored: the server finds out before anything of a machine is made.
import {
  chmodSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS, Actor } from '../actor.ts';
import { BUSYBOX, type Installation, install } from '../installation.ts';

let installation: Installation;
let actor: Actor;
let lax: readonly string[];

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await actor.load('busybox');
  const rule = '{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }';
  lax = ['--image-policy', write('lax.yaml', `images: [${rule}]`)];
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

function write(name: string, text: string): string {
  const path = join(actor.directory, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

/** A disk whose tree was made. */
function storedDisk(): string {
  const note = readdirSync(actor.home, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('.verity'),
  );
  if (note === undefined) throw new Error('no disk has a tree');
  return join(actor.home, note.slice(0, -'.verity'.length));
}

const DAMAGE: Readonly<Record<string, (disk: string) => void>> = {
  'a byte of its superblock': (disk) => flipStored(disk, 1024 + 40),
  'a byte of its tree': (disk) => flipStored(disk, statSync(disk).size - 4096 + 3),
  'its last block': (disk) => truncateSync(disk, statSync(disk).size - 4096),
  'its root on record': (disk) => {
    const note = `${disk}.verity`;
    const text = readFileSync(note, 'utf8');
    chmodSync(note, 0o600);
    writeFileSync(note, text.replace(/"root":"[0-9a-f]{64}"/, `"root":"${'ab'.repeat(32)}"`));
  },
};

function flipStored(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

it('does not start from a stored disk of which anything was changed', async () => {
  await actor.ok(['create', '--name', 'stored', ...lax, '--tee', 'simulate', BUSYBOX, 'true']);
  const disk = storedDisk();
  const files = [disk, `${disk}.verity`];
  const kept = files.map((path) => ({
    path,
    bytes: readFileSync(path),
    mode: statSync(path).mode,
  }));
  for (const [name, damage] of Object.entries(DAMAGE)) {
    for (const { path } of kept) chmodSync(path, 0o600);
    damage(disk);
    const { code, stderr } = await actor.run(['start', ...lax, 'stored']);
    for (const { path, bytes } of kept) writeFileSync(path, bytes);
    expect(stderr, name).toContain('(invalid-image)');
    expect(code, name).toBe(1);
  }
  for (const { path, mode } of kept) chmodSync(path, mode);
  expect(actor.vmms()).toEqual([]);
  await actor.ok(['rm', 'stored']);
});
