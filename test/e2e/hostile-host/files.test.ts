// The files of a host, and what it finds in them: disks that were changed where they are stored,
// and the traces of a box that has secrets, data, environment and output of its own.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS, Actor, finish } from '../actor.ts';
import { BUSYBOX, type Installation, install } from '../installation.ts';
import { until } from '../processes.ts';
import { digestOf, hostPlaces, linesWith, memoryHolds } from './forbidden-data.ts';

let installation: Installation;
let actor: Actor;
let lax: readonly string[];

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  // The server that this starts may dump core, as far as the host lets it.
  const [program, ...args] = actor.command(['load', '--input', installation.archives.busybox]);
  const shell = ['-c', 'ulimit -c "$(ulimit -Hc)"; exec "$@"', 'sh', program, ...args];
  const child = spawn('/bin/sh', shell, { env: { ...actor.env }, cwd: actor.directory });
  expect((await finish(child)).code).toBe(0);
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
  'a byte in its middle': (disk) => flipStored(disk, statSync(disk).size >> 1),
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

it('refuses to start from a stored disk with any change', async () => {
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

const SECRET = `token-${randomBytes(24).toString('hex')}`;
const PIN = `pin-${randomBytes(24).toString('hex')}`;
/** What the workload makes of its secrets. */
const DATA = digestOf(SECRET);
const LAST = digestOf(`${DATA}\n`);
const SCRIPT = [
  'export DATA=$(sha256sum < /run/secrets/token | head -c 64)',
  'for i in $(seq 4000); do echo $DATA; done > /kept',
  'sync',
  'for i in $(seq 2000); do echo $DATA $PIN; done',
  // There once all of the above is.
  'export LAST=$(echo $DATA | sha256sum | head -c 64)',
  'exec sleep 1000',
].join('; ');

/** As they are, and as they were sent. */
const TEXTS = [SECRET, PIN].flatMap((text) => [text, Buffer.from(text).toString('base64')]);

function traces(): number {
  const own = [actor.directory, actor.runtimeDir];
  const places = [...own, actor.snapshotMemory, '/dev/shm', ...hostPlaces(own)];
  return linesWith([...TEXTS, DATA, LAST], places);
}

/** The one that runs. */
function vmm(): number {
  const [found] = actor.vmms();
  if (found === undefined) throw new Error('there is no VMM');
  return found.pid;
}

it('leaves no secret, data, environment or output in a file of the host', async () => {
  const [key, pub] = [join(actor.directory, 'broker.key'), join(actor.directory, 'broker.pub')];
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key], { stdio: 'ignore' });
  execFileSync('openssl', ['pkey', '-in', key, '-pubout', '-out', pub]);
  const secrets = [`token:from=${pub}`, `pin:from=${pub}:env=PIN`];
  const flags = ['--tee', 'simulate', '--changes', 'encrypted-disk'];
  const asked = [...flags, ...secrets.flatMap((secret) => ['--secret', secret])];
  const box = [...asked, BUSYBOX, 'sh', '-c', SCRIPT];
  const policy = join(actor.directory, 'policy.yaml');
  await actor.ok(['measure', ...lax, '--policy-out', policy, ...box]);
  await actor.ok(['run', '-d', '--name', 'db', ...lax, ...box]);
  // Through the control server, which carries what it cannot read.
  const inject = ['inject-secret', '--policy', policy, '--allow-simulated', '--key', key, 'db'];
  const values = [`token=@${write('token', SECRET)}`, `pin=@${write('pin', PIN)}`];
  await actor.ok([...inject, ...values]);
  // The search finds what is there.
  expect(traces()).toBe(2);
  for (const name of ['token', 'pin']) rmSync(join(actor.directory, name));

  // Simulation protects nothing: the memory of the VMM has it all, as the documentation says.
  await until('the workload has done its work', () => memoryHolds(vmm(), LAST), 90_000);
  for (const text of [SECRET, PIN, DATA]) expect(memoryHolds(vmm(), text)).toBe(true);
  expect(readFileSync('docs/confidential/boxes.md', 'utf8')).toContain(
    '**So the memory of the VMM process holds everything, injected secrets included**',
  );

  const server = actor.serverPid();
  if (server === undefined) throw new Error('there is no server');
  for (const text of [SECRET, PIN, DATA]) expect(memoryHolds(server, text)).toBe(false);
  expect(traces()).toBe(0);
  const shown = `${await actor.ok(['inspect', 'db'])}${await actor.ok(['ps', '--no-trunc'])}`;
  for (const text of TEXTS) expect(shown).not.toContain(text);
  expect((await actor.run(['logs', 'db'])).stderr).toContain('(host-not-permitted)');

  // The server may dump core, and what it starts as well; the VMM may not.
  expect(readFileSync(`/proc/${server}/limits`, 'utf8')).toMatch(
    /^Max core file size +(\S+) +\1 /m,
  );
  expect(readFileSync(`/proc/${vmm()}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
  process.kill(vmm(), 'SIGKILL');
  await until('the VMM is dead', () => actor.vmms().length === 0);
  expect(traces()).toBe(0);
  await actor.ok(['rm', '--force', 'db']);
  expect(traces()).toBe(0);
});
