// What a host finds on the disks of a confidential box, and what becomes of one that it changes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { expectRefusal } from './refusal.ts';

/** The box makes it from what is no secret: it stands in no launch spec. */
const SEED = 'what the box writes';
const MARKER = createHash('sha256').update(SEED).digest('hex');
const LINES = 40_000;

const SCRIPT = [
  '[ -e /file ] && echo there is an old file',
  `marker=$(printf '%s' '${SEED}' | sha256sum | cut -c 1-64)`,
  `yes $marker | head -n ${LINES} > /file && sync`,
  'echo 3 > /proc/sys/vm/drop_caches 2>/dev/null',
  '[ $(grep -c $marker /file) = $(wc -l < /file) ] && echo $(wc -l < /file) lines',
].join('\n');

let installation: Installation;
let actor: Actor;

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS.at(-1) ?? 'ordinary user', installation);
  await actor.load('busybox');
  const policy = join(actor.home, 'image-policy.yaml');
  writeFileSync(
    policy,
    'schema: a3s-box/image-policy/v1\nimages:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n',
    { mode: 0o600 },
  );
  const { uid, gid } = statSync(actor.home);
  chownSync(policy, uid, gid);
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

/** Whether some file below the home holds a text. Of sparse files tar reads what is there. */
function holds(text: string): boolean {
  const search = `tar -S -cf - -C '${actor.home}' . 2>/dev/null | grep -qaF '${text}'`;
  return spawnSync('sh', ['-c', search], { timeout: 60_000 }).status === 0;
}

const output = `${LINES} lines`;

it('writes nothing that a host can read, and nothing that outlives its key', async () => {
  const first = await actor.ok([
    ...['run', '--name', 'box', '--tee', 'simulate', '--host-may', 'logs'],
    ...['--changes', 'encrypted-disk', BUSYBOX, 'sh', '-c', SCRIPT],
  ]);
  expect(first).toBe(output);
  const [id] = readdirSync(join(actor.home, 'boxes'));
  const disk = statSync(join(actor.home, 'boxes', id ?? '', 'changes.raw'));
  // It is there, all of it.
  expect(disk.blocks * 512).toBeGreaterThan(LINES * 65);
  expect(holds(MARKER)).toBe(false);
  // The search finds what is there.
  expect(holds(SEED)).toBe(true);
  expect(await actor.ok(['start', '-a', 'box'])).toBe(output);
}, 170_000);

it('does not start from a layer that was changed', async () => {
  const [name] = readdirSync(join(actor.home, 'images/erofs')).filter((entry) =>
    entry.endsWith('.erofs'),
  );
  const path = join(actor.home, 'images/erofs', name ?? '');
  const { uid, gid } = statSync(path);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
  chownSync(path, uid, gid);
  chmodSync(path, 0o400);
  expectRefusal(await actor.run(['start', 'box']), 1, 'invalid-image');
  await actor.ok(['rm', 'box']);
});
