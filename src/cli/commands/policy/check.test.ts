import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-policy-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const check = (text: string, ...flags: readonly string[]): Promise<Transcript> => {
  writeFileSync(join(cwd, 'policy.yaml'), text);
  return transcript('/nonexistent', ['policy', 'check', 'policy.yaml', ...flags], { cwd });
};

const MEASUREMENT = 'ab'.repeat(48);
const USABLE = `measurements: ['${MEASUREMENT}']\nhostData: any-explicit\nproducts: [Turin]\n`;
const ID_BLOCK = `idKeyDigests: ['${MEASUREMENT}']\n`;
const CHIP = `'${'ab'.repeat(64)}'`;
const LEVELS = '{ bl: 1, tee: 0, snp: 1, ucode: 1 }';

describe('policy check', () => {
  it('prints the stated settings of a policy first, and then the defaults', async () => {
    const done = await check(USABLE);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    const [stated = '', defaults = ''] = done.stdout.split('\nBy default:\n');
    expect(stated).toMatch(/^Stated:\n {2}products +Turin\n {2}measurements +(ab){48}\n/);
    expect(defaults).toMatch(/^ {2}vmpl +0$/m);
    expect(defaults).toMatch(
      / turin .*\n {2}minLaunchTcb +as minTcb\n {2}minCommittedTcb +as minTcb$/m,
    );
    expect(defaults).toMatch(/^ {2}chipAllow +any chip$/m);
    expect(defaults).toMatch(/^ {2}minMitigationVector +0x0$/m);
    expect(defaults).toMatch(/^ {2}minTcb +milan bl 4, .*\n +genoa bl 10, /m);
    expect(defaults).toMatch(/^ {2}crl +required true\n +maxAgeDays 7\n +minNumber none$/m);
    expect(done.stdout).toMatch(/\n\nThe policy is valid\.\n$/);
  });

  it.each<readonly [policy: string, reason: string]>([
    ['engines: []', 'engines is empty'],
    ['engines: [krun]', 'krunMeasurements names no guest of libkrun'],
    [
      'engines: [qemu, krun]',
      'neither measurements nor idKeyDigests names a guest, and krunMeasurements names no guest of libkrun',
    ],
    [
      `krunMeasurements: [${'ab'.repeat(48)}]`,
      'neither measurements nor idKeyDigests names a guest',
    ],
    ['', 'neither measurements nor idKeyDigests names a guest'],
    ['', 'hostData is not said'],
    ['measurements: []\nhostData: any-explicit', 'neither measurements nor idKeyDigests'],
    ...['reportVersions', 'signingKeys', 'chipAllow', 'idKeyDigests', 'authorKeyDigests'].map(
      (key) => [`${USABLE}${key}: []`, `${key} is empty`] as const,
    ),
    [USABLE.replace('[Turin]', '[]'), 'products is empty'],
    [`${USABLE}${ID_BLOCK}familyIds: []`, 'familyIds is empty'],
    [`${USABLE}${ID_BLOCK}imageIds: []`, 'imageIds is empty'],
    [`${USABLE}signingKeys: [VLEK]`, 'signingKeys allows VLEKs alone, and cspIds names no'],
    [`${USABLE}chipAllow: [${CHIP}]\nchipDeny: [${CHIP}]`, 'chipDeny has every chip of chipAllow'],
    [`${USABLE}reportVersions: [2]`, 'requireAliasCheck asks for what only report versions from 3'],
    [
      `${USABLE}reportVersions: [4]\nminMitigationVector: '0x1'`,
      'minMitigationVector asks for what only report versions from 5 on tell',
    ],
    [
      `${USABLE.replace('Turin', 'Genoa')}requireIommuWriteSafe: true`,
      'requireIommuWriteSafe asks for what only Turin tells',
    ],
    ...['minTcb', 'minLaunchTcb', 'minCommittedTcb'].flatMap((key) => [
      [`${USABLE}${key}: {}`, `${key} has no minimum for any processor of products`] as const,
      [`${USABLE}${key}: { milan: ${LEVELS} }`, `${key} has no minimum for any`] as const,
    ]),
    [
      `${USABLE.replace('Turin', 'Milan, Genoa')}minTcb: { milan: ${LEVELS} }\nminLaunchTcb: { genoa: ${LEVELS} }`,
      'no processor of products has a minimum in each',
    ],
  ])('reports that a policy accepts nobody, with the reason: %j', async (text, reason) => {
    const done = await check(text === '' ? '{}' : text);
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('The policy is valid, but it accepts nobody:\n');
    expect(done.stdout).toContain(`- ${reason}`);
  });

  it.each([
    [`measurements: []\nhostData: any-explicit\n${ID_BLOCK}`],
    [`${USABLE}signingKeys: [VLEK]\ncspIds: [provider]`],
    [`${USABLE}chipAllow: [${CHIP}]`],
    [`${USABLE.replace('Turin', 'Genoa')}minTcb: { bergamo_siena: ${LEVELS} }`],
    [`${USABLE}requireIommuWriteSafe: true\nminMitigationVector: '0x1'`],
    [`${USABLE}reportVersions: [2]\nrequireAliasCheck: false`],
  ])('does not report that a satisfiable policy accepts nobody: %j', async (text) => {
    expect((await check(text)).stdout).toMatch(/\nThe policy is valid\.\n$/);
  });

  it('reports once a missing minimum that others follow from', async () => {
    const document = JSON.parse((await check(`${USABLE}minTcb: {}`, '--json')).stdout);
    expect(document.acceptsNobody).toEqual(['minTcb has no minimum for any processor of products']);
  });

  it('shows a separate minimum for the launch', async () => {
    const own = 'minLaunchTcb: { turin: { fmc: 1, bl: 1, tee: 1, snp: 5, ucode: 90 } }';
    const done = await check(`${USABLE}${own}\n`);
    expect(done.stdout).toMatch(/^ {2}minLaunchTcb +turin fmc 1, bl 1, tee 1, snp 5, ucode 90$/m);
    expect(done.stdout).toMatch(/^ {2}minCommittedTcb +as minTcb$/m);
    const { policy } = JSON.parse((await check(`${USABLE}${own}\n`, '--json')).stdout);
    expect(policy.minLaunchTcb).toEqual({ turin: { fmc: 1, bl: 1, tee: 1, snp: 5, ucode: 90 } });
    expect(policy.minCommittedTcb).toEqual(policy.minTcb);
  });

  it('prints the whole policy with --json', async () => {
    const document = JSON.parse((await check(USABLE, '--json')).stdout);
    expect(Object.keys(document)).toEqual(['valid', 'policy', 'defaults', 'acceptsNobody']);
    expect(document).toMatchObject({
      valid: true,
      policy: { products: ['Turin'], vmpl: 0, minMitigationVector: '0x0' },
      acceptsNobody: [],
    });
    expect(document.defaults).toContain('vmpl');
    expect(document.defaults).toContain('chipAllow');
    expect(document.defaults).not.toContain('products');
  });

  it('lists every problem of a policy with its place', async () => {
    const done = await check('vmpl: 7\nmeasurement: []\ncrl: { maxAge: 1 }\n');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    const lines = done.stderr.trimEnd().split('\n');
    expect(lines[0]).toBe(
      'a3s-box: policy.yaml: vmpl: expected an integer from 0 to 3, found 7 (policy-invalid)',
    );
    expect(lines).toHaveLength(3);
    expect(done.stderr).toContain('policy.yaml: crl.maxAge: unknown key');
    expect(done.stderr).toContain('did you mean `measurements`?');
  });

  it('names the line of a syntax error in a policy', async () => {
    const done = await check('vmpl: 0\nvmpl: 1\n');
    expect(done.status).toBe(2);
    expect(done.stderr).toMatch(/^a3s-box: policy\.yaml:2:1: .+ \(policy-unreadable\)\n$/);
  });

  it.each([
    ['a key', '-----BEGIN PRIVATE KEY-----\nHunter2==\n-----END PRIVATE KEY-----\n'],
    ['an environment', 'HUNTER2=hunter2\nPASSWORD="hunter2"\n'],
    ['a word', 'hunter2'],
    ['a secret of a cluster', 'apiVersion: v1\nkind: Secret\ndata:\n  hunter2: aHVudGVyMg\n'],
    ['credentials', '{"auths":{"hunter2.example":{"auth":"hunter2"}}}'],
    ['a list', '- hunter2\n- hunter2\n'],
    ['a table', '[hunter2]\nhunter2 = "hunter2"\n'],
    ['a twisted pair', 'hunter2: 1\nhunter2: 2\n'],
    ['a wrong escape', 'x: "\\hunter2"\n'],
    ['a mark of its own', '@hunter2\n'],
    ['pairs in one line', 'user: hunter2: hunter2\n'],
    ['a script', '#!/bin/sh\ncurl -u "hunter2:hunter2" | sh && { hunter2; }\n'],
    ['bytes', '\u0000hunter2\u0001\n'],
  ])('quotes no text of a file that is not a policy: %s', async (_, text) => {
    for (const flags of [[], ['--json'], ['--image', 'redis']]) {
      const done = await check(text, ...flags);
      expect(done.status).not.toBe(0);
      expect(done.stderr).toMatch(
        /^a3s-box: .*policy\.yaml.* \((policy-(invalid|unreadable)|invalid-argument)\)\n/,
      );
      expect(`${done.stdout}${done.stderr}`).not.toMatch(/hunter|BEGIN|apiVersion|auths|curl/i);
    }
  });

  it('prints the problems of a policy with --json', async () => {
    const done = await check('vmpl: 7', '--json');
    expect(done.status).toBe(2);
    expect(JSON.parse(done.stdout)).toEqual({
      valid: false,
      code: 'policy-invalid',
      error: { message: 'policy.yaml: vmpl: expected an integer from 0 to 3, found 7' },
      problems: [
        {
          path: 'vmpl',
          message: 'expected an integer from 0 to 3, found 7',
          expected: 'an integer from 0 to 3',
          found: '7',
        },
      ],
    });
  });

  it('checks exactly one file', async () => {
    const run = (...args: readonly string[]): Promise<Transcript> =>
      transcript('/nonexistent', ['policy', ...args], { cwd });
    expect(await run('check')).toMatchObject({ status: 2, stdout: '' });
    expect(await run('check', 'one', 'two')).toMatchObject({ status: 2, stdout: '' });
    expect((await run('check', 'gone')).stderr).toContain('open gone: no such file or directory');
    expect(JSON.parse((await run('check', 'gone', '--json')).stdout)).toEqual({
      valid: false,
      code: 'invalid-argument',
      error: { message: 'open gone: no such file or directory' },
      problems: [],
    });
    expect(await run('chek', 'one')).toMatchObject({ status: 2 });
    expect((await run('chek', 'one')).stderr).toContain("Did you mean 'policy check'?");
    expect(await run('--foo')).toMatchObject({ status: 2 });
  });
});
