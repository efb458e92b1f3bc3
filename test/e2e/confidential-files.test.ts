// What a confidential box was given and wrote is in no file of its host.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataExtents } from '../../src/engine/data-extents.ts';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

const IMAGES =
  'images:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n';
const PIECE = 4 * 1024 * 1024;
const OVERLAP = 128;
const SECRET = randomBytes(32).toString('hex');

/** Writes the secret to the disk, and says to where it has come. */
const PROGRAM = 'cat /run/secrets/token > /root/copy; sync; wc -c < /root/copy; exec sleep 600';

let installation: Installation;
let actor: Actor;

const at = (name: string): string => join(actor.directory, name);

/** Files below `directory` that hold the text, as it is or in base64. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const forms = [Buffer.from(text), Buffer.from(Buffer.from(text).toString('base64'))];
  const found: string[] = [];
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name);
    if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    if (await holds(path, forms)) found.push(name);
  }
  return found;
}

/** Holes are passed over: a box's disk is mostly that. */
async function holds(path: string, forms: readonly Buffer[]): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    for await (const { start, end } of dataExtents(file.fd, size)) {
      for (let at = start; at < end; at += PIECE) {
        // What lies across two pieces is in the overlap.
        const piece = Buffer.alloc(Math.min(PIECE + OVERLAP, end - at));
        await file.read(piece, 0, piece.length, at);
        if (forms.some((form) => piece.includes(form))) return true;
      }
    }
    return false;
  } finally {
    await file.close();
  }
}

beforeAll(async () => {
  installation = await install();
  // Who owns the home reads all of it.
  actor = new Actor(process.getuid?.() === 0 ? 'root' : 'ordinary user', installation);
  await actor.load('busybox');
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(at('images.yaml'), IMAGES);
  writeFileSync(at('token'), SECRET);
  writeFileSync(at('broker.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(at('broker.key'), pem, { mode: 0o600 });
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

it('neither a secret nor what the workload writes of it', async () => {
  const box = [
    ...['--tee', 'simulate', '--host-may', 'logs', '--network', 'none'],
    ...['--image-policy', at('images.yaml'), '--changes', 'encrypted-disk'],
    ...['--secret', `token:from=${at('broker.pub')}`],
  ];
  const command = [BUSYBOX, 'sh', '-c', PROGRAM];
  await actor.ok(['measure', ...box, '--policy-out', at('policy.yaml'), ...command]);
  await actor.ok(['run', '--detach', '--name', 'vault', ...box, ...command]);
  await actor.ok([
    ...['inject-secret', 'vault', `token=@${at('token')}`, '--key', at('broker.key')],
    ...['--policy', at('policy.yaml'), '--allow-simulated'],
  ]);
  await expect
    .poll(() => actor.ok(['logs', 'vault']), { timeout: 60_000, interval: 500 })
    .toBe(String(SECRET.length));
  // The search finds what is there: the logs are a file, too.
  writeFileSync(join(actor.home, 'decoy'), `x${SECRET}`);
  expect(await filesWith(actor.home, SECRET)).toEqual(['decoy']);
  expect(await filesWith(actor.runtimeDir, SECRET)).toEqual([]);
  expect(await actor.ok(['inspect', 'vault'])).not.toContain(SECRET);
});
