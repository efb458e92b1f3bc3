import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { ovmfImage } from '../../testing/ovmf-image.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-launch-'));
  writeFileSync(join(cwd, 'ovmf.fd'), ovmfImage());
  writeFileSync(join(cwd, 'other.fd'), ovmfImage(0x91));
  writeFileSync(join(cwd, 'kernel'), 'kernel');
  writeFileSync(join(cwd, 'initrd'), 'initrd');
  writeFileSync(join(cwd, 'newer'), 'newer kernel');
  writeFileSync(join(cwd, 'pages'), Buffer.alloc(8192, 1));
  writeFileSync(join(cwd, 'qboot'), Buffer.alloc(65_536, 2));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const attest = (...args: readonly string[]): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', ...args], { cwd });

const LAUNCH = [
  '--ovmf=ovmf.fd',
  '--kernel=kernel',
  '--initrd=initrd',
  '--append=console=ttyS0',
  '--vcpus=2',
  '--vcpu-type=EPYC-Milan',
];

const KRUN = [
  '--vmm=krun',
  '--qboot=qboot',
  '--kernel=pages',
  '--initrd=pages',
  '--kernel-address=0x1000000',
  '--vcpus=1',
  '--ram=512',
];

const digestOf = async (...flags: readonly string[]): Promise<string> => {
  const done = await attest('measure', ...flags);
  expect(done.status).toBe(0);
  expect(done.stdout).toMatch(/^[0-9a-f]{96}\n$/);
  return done.stdout.trim();
};

describe('attest measure', () => {
  it('prints only the digest, and the same each time', async () => {
    const digest = await digestOf(...LAUNCH);
    expect(await digestOf(...LAUNCH, '--vmm=qemu', '--sev-features=0x1', '--fpu=reset')).toBe(
      digest,
    );
  });

  it.each([
    '--vcpus=3',
    '--vcpu-type=EPYC-v4',
    '--append=console=ttyS1',
    '--kernel=newer',
    '--initrd=kernel',
    '--ovmf=other.fd',
    '--sev-features=21',
    '--fpu=zero',
    '--vmm=ec2',
    '--vmm=gce',
  ])('computes another launch digest for %s', async (flag) => {
    expect(await digestOf(...LAUNCH, flag)).not.toBe(await digestOf(...LAUNCH));
  });

  it('prints the digest and all its inputs with --json', async () => {
    const done = await attest('measure', ...LAUNCH, '--json');
    const document = JSON.parse(done.stdout);
    expect(Object.keys(document)).toEqual(['vmm', 'digest', 'ovmfHash', 'record']);
    expect(document).toMatchObject({
      vmm: 'qemu',
      digest: await digestOf(...LAUNCH),
      record: { vcpus: 2, vcpuType: 'EPYC-Milan', append: 'console=ttyS0', sevFeatures: '0x1' },
    });
    expect(document.ovmfHash).toBe(document.record.ovmf.hash);
  });

  it('writes a launch record with --record', async () => {
    const digest = await digestOf(...LAUNCH, '--record=record.json');
    const record = JSON.parse(readFileSync(join(cwd, 'record.json'), 'utf8'));
    expect(record).toMatchObject({ schema: 'a3s-box/launch-record/v1', digest });
  });

  it('warns that no hardware has confirmed the launch digest of libkrun', async () => {
    const done = await attest('measure', ...KRUN);
    expect(done).toMatchObject({ status: 0 });
    expect(done.stdout).toMatch(/^[0-9a-f]{96}\n$/);
    expect(done.stderr).toContain('WARNING: not confirmed by hardware');
    const document = JSON.parse((await attest('measure', ...KRUN, '--json')).stdout);
    expect(document).toEqual({
      vmm: 'krun',
      digest: done.stdout.trim(),
      confirmedByHardware: false,
    });
    const other = await attest('measure', ...KRUN, '--sev-features=0x21', '--fpu=reset');
    expect(other.stdout).not.toBe(done.stdout);
  });

  const without = (name: string): readonly string[] =>
    LAUNCH.filter((flag) => !flag.startsWith(`--${name}=`));
  const MISTAKES: readonly (readonly [string, readonly string[], string])[] = [
    ['no firmware', without('ovmf'), 'flag --ovmf is missing'],
    ['no number of vCPUs', without('vcpus'), 'flag --vcpus is missing'],
    ['no vCPU model for QEMU', without('vcpu-type'), 'flag --vcpu-type is missing'],
    ['an unknown model', [...LAUNCH, '--vcpu-type=Xeon'], 'it takes one of EPYC, EPYC-v1'],
    ['no vCPU', [...LAUNCH, '--vcpus=0'], 'expected 1 to 4096 vCPUs'],
    ['vCPUs in words', [...LAUNCH, '--vcpus=two'], 'must be a whole number'],
    ['an unknown monitor', [...LAUNCH, '--vmm=vmware'], 'it takes one of qemu, ec2, gce, krun'],
    ['features in words', [...LAUNCH, '--sev-features=all'], '1 to 16 hexadecimal digits'],
    ['features without SNP', [...LAUNCH, '--sev-features=0x20'], 'with SNPActive (0x1)'],
    ['an unknown FPU state', [...LAUNCH, '--fpu=warm'], 'it takes reset or zero'],
    ['no file of firmware', [...LAUNCH, '--ovmf=gone'], 'open gone: no such file or directory'],
    ['a kernel for firmware', [...LAUNCH, '--ovmf=kernel'], '(ovmf-malformed)'],
    [
      'an endless firmware',
      [...LAUNCH, '--ovmf=/dev/zero'],
      '--ovmf: /dev/zero is longer than 16777216 bytes',
    ],
    ['an initrd alone', without('kernel'), 'a kernel for the initrd and the command line'],
    ['memory for OVMF', [...LAUNCH, '--ram=1'], '--ram does not apply to a launch by qemu'],
    [
      'a command line for libkrun',
      [...KRUN, '--append=x'],
      '--append does not apply to a launch by krun',
    ],
    ['no memory for libkrun', KRUN.slice(0, -1), 'flag --ram is missing'],
    ['no address', KRUN.filter((flag) => !flag.includes('address')), '--kernel-address is missing'],
    ['images of no pages', [...KRUN, '--kernel=kernel'], 'a kernel of whole pages'],
    ['a record into nowhere', [...LAUNCH, '--record=gone/record'], 'write gone/record: ENOENT'],
  ];

  it.each(MISTAKES)('attest measure fails with %s', async (_, flags, message) => {
    const done = await attest('measure', ...flags);
    expect(done.stderr).toContain(message);
    expect(done.stderr).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
    expect(done).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('attest explain', () => {
  it('reports that the digest is the expected one', async () => {
    const done = await attest('explain', ...LAUNCH, `--actual=${await digestOf(...LAUNCH)}`);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('The digest is the expected one');
  });

  it.each([
    ['--vcpus=5', 'vcpus', 'the guest was launched with 5 vCPUs'],
    ['--vcpu-type=EPYC-Genoa', 'vcpuSignature', 'the vCPU model'],
    ['--sev-features=0x21', 'sevFeatures', 'the SEV features were'],
  ])('names the changed input for %s', async (flag, input, sentence) => {
    const done = await attest('explain', ...LAUNCH, `--actual=${await digestOf(...LAUNCH, flag)}`);
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(new RegExp(`^✗ ${input} `, 'm'));
    expect(done.stdout.toLowerCase()).toContain(sentence.toLowerCase());
    expect(done.stdout).toContain('\nTried:\n- ');
  });

  it('names the artefact that was launched instead', async () => {
    const actual = await digestOf(...LAUNCH, '--kernel=newer', '--ovmf=other.fd');
    const done = await attest(
      'explain',
      ...LAUNCH,
      `--actual=${actual}`,
      '--artefact=kernel=newer',
      '--artefact=ovmf=other.fd',
      '--artefact=initrd=kernel',
    );
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/^✗ kernel .*\n +actual: .*\(newer\)/m);
    expect(done.stdout).toMatch(/^✗ ovmf .*\n +actual: .*\(other\.fd\)/m);
  });

  it('names the command line that was launched instead', async () => {
    const actual = await digestOf(...LAUNCH, '--append=root=/dev/vda');
    const flags = [...LAUNCH, `--actual=${actual}`];
    expect((await attest('explain', ...flags)).status).toBe(1);
    const done = await attest('explain', ...flags, '--artefact=append=root=/dev/vda');
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/^✗ append .*\n +actual: "root=\/dev\/vda"/m);
    expect(await attest('explain', ...flags, '--artefact=append=')).toMatchObject({ status: 1 });
  });

  it('names the missing flags when the guest may have had a kernel', async () => {
    const actual = await digestOf(...LAUNCH);
    const flags = ['--ovmf=ovmf.fd', '--vcpus=2', '--vcpu-type=EPYC-Milan', `--actual=${actual}`];
    const done = await attest('explain', ...flags);
    expect(done.status).toBe(1);
    expect(done.stdout).toMatch(/launched with kernel hashes, .*\nSay so with --kernel, --initrd/);
    expect((await attest('explain', ...LAUNCH, '--actual', '0'.repeat(96))).stdout).not.toContain(
      'Say so with',
    );
  });

  it('accepts a record that gives the actual digest', async () => {
    const actual = await digestOf(...LAUNCH, '--append=something else', '--record=record.json');
    const done = await attest('explain', ...LAUNCH, `--actual=${actual}`, '--record=record.json');
    expect(done.status).toBe(0);
    expect(done.stdout).toContain("The host's launch record gives the actual digest.");
    expect(done.stdout).toContain('something else');
  });

  it('lists what it has tried when it finds no explanation', async () => {
    await digestOf(...LAUNCH, '--record=record.json');
    const flags = [...LAUNCH, `--actual=${'ab'.repeat(48)}`, '--record=record.json'];
    const done = await attest('explain', ...flags);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain("The host's launch record does not give the actual digest.");
    expect(done.stdout).toMatch(/^\? kernel /m);
    const document = JSON.parse((await attest('explain', ...flags, '--json')).stdout);
    expect(document).toMatchObject({ explained: false, matches: false, record: 'refuted' });
    expect(document.tried.length).toBeGreaterThan(5);
  });

  const ACTUAL = `--actual=${'ab'.repeat(48)}`;
  const MISTAKES: readonly (readonly [string, readonly string[], string])[] = [
    ['no digest', [], 'flag --actual is missing'],
    ['a short digest', ['--actual=abcd'], 'exactly 96 hexadecimal digits'],
    ['libkrun', [ACTUAL, '--vmm=krun'], 'nothing else can be explained'],
    [
      'an artefact of no kind',
      [ACTUAL, '--artefact=newer'],
      'it takes ovmf=FILE, kernel=FILE, initrd=FILE or append=TEXT',
    ],
    ['an artefact of another kind', [ACTUAL, '--artefact=disk=newer'], 'it takes ovmf=FILE'],
    ['an artefact of no name', [ACTUAL, '--artefact=kernel='], 'it takes ovmf=FILE'],
    ['an artefact that is gone', [ACTUAL, '--artefact=kernel=gone'], 'open gone: no such file'],
    ['firmware that is none', [ACTUAL, '--artefact=ovmf=kernel'], '(ovmf-malformed)'],
    ['a record that is gone', [ACTUAL, '--record=gone'], 'open gone: no such file'],
    ['a record of no JSON', [ACTUAL, '--record=kernel'], 'kernel: it is no JSON'],
    ['a record of no text', [ACTUAL, '--record=octets'], 'octets: it is no JSON'],
    ['a record of another shape', [ACTUAL, '--record=object'], '(launch-record-malformed)'],
    [
      'more artefacts than it takes',
      [ACTUAL, ...Array.from({ length: 65 }, () => '--artefact=kernel=newer')],
      'more than 64 times',
    ],
  ];

  it.each(MISTAKES)('attest explain fails with %s', async (_, flags, message) => {
    writeFileSync(join(cwd, 'object'), '{}');
    writeFileSync(join(cwd, 'octets'), Buffer.from('"\xff"', 'latin1'));
    const done = await attest('explain', ...LAUNCH, ...flags);
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status: 2, stdout: '' });
  });
});
