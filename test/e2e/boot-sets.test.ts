import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measuredOvmf, supportsKernelHashes, verifyIdBlock } from '@a3s-box/attestation/measure';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BootDocument } from '../../src/boot/document.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { itInSoak } from './it-where.ts';
import { expectRefusal } from './refusal.ts';

const POLICY =
  'images:\n  - pattern: "**"\n    allowUnsigned: true\n    allowUnsignedConfidential: true\n';
const CONFIDENTIAL = ['--tee', 'simulate', '--host-may', 'logs'];

let installation: Installation;
let document: BootDocument;
beforeAll(async () => {
  installation = await install();
  const path = join(installation.root, 'dist/boot/boot.json');
  document = BootDocument.parse(JSON.parse(readFileSync(path, 'utf8')));
});
afterAll(() => installation.remove());

it('builds firmware that refuses a kernel whose hashes were not measured', () => {
  const image = readFileSync(join(installation.root, 'dist/boot/OVMF.fd'));
  expect(supportsKernelHashes(measuredOvmf(Uint8Array.from(image)))).toBe(true);
});

describe.each(ANY_ACTOR)('a boot set, as %s', (name) => {
  let actor: Actor;
  /** A user who has no set but the exported one. */
  let elsewhere: Actor;
  const none = { env: { A3S_BOOT: '/nonexistent' } };

  beforeAll(async () => {
    actor = new Actor(name, installation);
    elsewhere = new Actor(name, installation);
    writeFileSync(join(elsewhere.home, 'image-policy.yaml'), POLICY);
    chmodSync(join(elsewhere.home, 'image-policy.yaml'), 0o644);
    await elsewhere.ok(['load', '-i', installation.archives.busybox], none);
  });
  afterAll(async () => {
    await actor.leave();
    await elsewhere.leave();
  });

  /** Signs the set with a new key, and gives the key's digest. */
  async function sign(block: string, ...flags: readonly string[]): Promise<string> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const command = ['boot', 'sign', '--key', 'env://KEY', '--tee', 'simulate', '-o', block];
    const env = { ...none.env, KEY: String(pem) };
    const shown = await elsewhere.ok([...command, ...flags, document.id], { env });
    return /^ID key digest +([0-9a-f]{96})$/m.exec(shown)?.[1] ?? '';
  }

  it('boots a confidential box from a boot set that was moved to another home', async () => {
    const archive = join(actor.directory, 'set.tar');
    expect(await actor.ok(['boot', 'export', archive])).toBe(document.id);
    expect(await elsewhere.ok(['boot', 'import', archive], none)).toBe(document.id);
    rmSync(archive);
    const command = [BUSYBOX, 'grep', '-o', 'a3s.tee=[a-z]*', '/proc/cmdline'];
    const run = ['run', '--rm', ...CONFIDENTIAL, '--boot', document.id, ...command];
    expect(await elsewhere.ok(run, none)).toBe('a3s.tee=simulated');
    // Without it there is none.
    const refused = await elsewhere.run(['run', '--rm', BUSYBOX, 'true'], none);
    expectRefusal(refused, 125, 'boot-set-missing');
  });

  itInSoak('launches a box under its ID block, and no box of another shape', async () => {
    const block = join(elsewhere.directory, 'id.bin');
    await sign(block);
    const bytes = readFileSync(block);
    expect(verifyIdBlock(bytes.subarray(0, 96), bytes.subarray(96)).idBlock.guestSvn).toBe(0);
    const run = ['run', '--rm', ...CONFIDENTIAL, '--boot', document.id, '--id-block', block];
    expect(await elsewhere.ok([...run, BUSYBOX, 'echo', 'launched'], none)).toBe('launched');
    const refused = await elsewhere.run([...run, '--cpus', '2', BUSYBOX, 'true'], none);
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain('(invalid-argument)');
  });

  it('accepts a box by the signer and security version of its ID block instead of digests', async () => {
    const block = join(elsewhere.directory, 'id-3.bin');
    const key = await sign(block, '--guest-svn', '3');
    const box = [...CONFIDENTIAL, '--boot', document.id, BUSYBOX, 'sleep', '1000'];
    await elsewhere.ok(['run', '-d', '--name', 'signed', '--id-block', block, ...box], none);
    const [found] = JSON.parse(await elsewhere.ok(['inspect', 'signed'], none));
    const judged = async (idKey: string, svn: number) => {
      const path = join(elsewhere.directory, 'signer.yaml');
      const rules = [
        'schema: a3s-box/attestation-policy/v1',
        'tee: simulated',
        `idKeyDigests: ['${idKey}']`,
        `minGuestSvn: ${svn}`,
        `hostData: ${found.Confidential.HostData}`,
        'crl: { required: false }',
      ];
      writeFileSync(path, rules.join('\n'), { mode: 0o644 });
      const attest = ['attest', 'box', '--policy', path, '--allow-simulated', '--json', 'signed'];
      const { code, stdout } = await elsewhere.run(attest, none);
      const checks = JSON.parse(stdout).checks as { code: string; verdict: string }[];
      const failed = checks
        .filter(({ verdict }) => verdict === 'failed')
        .map((check) => check.code);
      return { code, failed };
    };
    expect(await judged(key, 3)).toEqual({ code: 0, failed: [] });
    expect(await judged(key, 4)).toEqual({
      code: 1,
      failed: expect.arrayContaining(['guest-svn', 'appraisal']),
    });
    expect(await judged('ab'.repeat(48), 3)).toEqual({
      code: 1,
      failed: expect.arrayContaining(['id-key', 'appraisal']),
    });
    await elsewhere.ok(['rm', '--force', 'signed'], none);
  });
});
