import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../fake/fake-context.ts';

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

describe('policy check', () => {
  it('reads a policy back, what it states first and then what follows by default', async () => {
    const done = await check(USABLE);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    const [stated = '', defaults = ''] = done.stdout.split('\nBy default:\n');
    expect(stated).toMatch(/^Stated:\n {2}products +Turin\n {2}measurements +(ab){48}\n/);
    expect(defaults).toMatch(/^ {2}vmpl +0$/m);
    expect(defaults).toMatch(/^ {2}minLaunchTcb +as minTcb$/m);
    expect(defaults).toMatch(/^ {2}chipAllow +any chip$/m);
    expect(defaults).toMatch(/^ {2}minMitigationVector +0x0$/m);
    expect(defaults).toMatch(/^ {2}minTcb +milan bl 4, .*\n +genoa bl 10, /m);
    expect(defaults).toMatch(/^ {2}crl +required true\n +maxAgeDays 7\n +minNumber none$/m);
    expect(done.stdout).toMatch(/\n\nThe policy is valid\.\n$/);
  });

  it.each([
    ['', 'neither measurements nor idKeyDigests names a guest'],
    ['', 'hostData is not said'],
    [`${USABLE}signingKeys: []`, 'signingKeys is empty'],
    [`${USABLE}reportVersions: []`, 'reportVersions is empty'],
    ['idKeyDigests: []\nhostData: any-explicit', 'neither measurements nor idKeyDigests'],
  ])('says that a policy accepts nobody, and why: %j', async (text, reason) => {
    const done = await check(text === '' ? '{}' : text);
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('The policy is valid, but it accepts nobody:\n');
    expect(done.stdout).toContain(`- ${reason}`);
  });

  it('gives programs the whole policy', async () => {
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

  it('lists every problem, each with its place', async () => {
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

  it('names the line where the text itself is at fault', async () => {
    const done = await check('vmpl: 0\nvmpl: 1\n');
    expect(done.status).toBe(2);
    expect(done.stderr).toMatch(/^a3s-box: policy\.yaml:2:1: .+ \(policy-unreadable\)\n$/);
  });

  it('gives programs the problems', async () => {
    const done = await check('vmpl: 7', '--json');
    expect(done.status).toBe(2);
    expect(JSON.parse(done.stdout)).toEqual({
      valid: false,
      code: 'policy-invalid',
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

  it('takes one file', async () => {
    const run = (...args: readonly string[]): Promise<Transcript> =>
      transcript('/nonexistent', ['policy', ...args], { cwd });
    expect(await run('check')).toMatchObject({ status: 2, stdout: '' });
    expect(await run('check', 'one', 'two')).toMatchObject({ status: 2, stdout: '' });
    expect((await run('check', 'gone')).stderr).toContain('open gone: no such file or directory');
    expect(await run('check', 'gone', '--json')).toMatchObject({ status: 2, stdout: '' });
    expect(await run('chek', 'one')).toMatchObject({ status: 2 });
    expect((await run('chek', 'one')).stderr).toContain("Did you mean 'policy check'?");
    expect(await run('--foo')).toMatchObject({ status: 2 });
  });
});
