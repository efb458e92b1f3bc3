import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchRecordOf } from '@a3s-box/attestation/measure';
import { canonicalJson } from '@a3s-box/policies';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { ovmfImage } from '../../testing/ovmf-image.ts';

let cwd: string;

const record = (kernel: string, vcpus = 2) =>
  launchRecordOf({
    vmm: 'qemu',
    ovmf: ovmfImage(),
    kernel: new TextEncoder().encode(kernel),
    initrd: new TextEncoder().encode('initrd'),
    append: 'a3s.tee=simulated',
    vcpus,
    vcpuType: 'EPYC-Milan-v2',
  });

const specOf = (env: readonly string[], deployment = ''): string =>
  canonicalJson({ deployment, process: { args: ['/bin/serve'], env } });
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const SPEC = specOf(['A=1']);
const OTHER = specOf(['A=1', 'LD_PRELOAD=/evil.so'], 'prod');
const EXPECTED = record('kernel');
const NEWER = record('newer kernel');

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-launch-'));
  write('expected', { tee: 'simulated', launch: EXPECTED, spec: SPEC });
  write('record', EXPECTED);
  write('newer', { launch: NEWER, spec: OTHER });
  write('spaced', { launch: EXPECTED, spec: SPEC.replace(',', ', ') });
});

afterEach(() => rmSync(cwd, { recursive: true }));

function write(name: string, document: unknown): void {
  writeFileSync(join(cwd, name), JSON.stringify(document));
}

const explain = (...args: readonly string[]): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', 'explain', '--launch=expected', ...args], { cwd });

const actual = (digest: string, spec: string): readonly string[] => [
  `--actual=${digest}`,
  `--actual-host-data=${sha256(spec)}`,
];

describe('attest explain --launch', () => {
  it('refuses a launch spec of the host that no box could have', async () => {
    const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (const spec of [deep, '{"a":null}', '[]', 'spec']) {
      write('hostile', { launch: EXPECTED, spec });
      const done = await explain('--record=hostile', ...actual(EXPECTED.digest, spec));
      expect(done).toMatchObject({ status: 2, stderr: expect.stringContaining('hostile: ') });
      expect(done.stderr).toContain('launch-record-malformed');
    }
  });

  it('expects the mark of a privileged box in its HOST_DATA', async () => {
    const spec = canonicalJson({ confinement: { privileged: true } });
    write('privileged', { launch: EXPECTED, spec });
    const args = ['attest', 'explain', '--launch=privileged', `--actual=${EXPECTED.digest}`];
    const explained = (hostData: string): Promise<Transcript> =>
      transcript('/nonexistent', [...args, `--actual-host-data=${hostData}`], { cwd });
    const marked = await explained(hostDataOf(sha256(spec), true));
    expect(marked.stdout).toContain('HOST_DATA is the expected one');
    const unmarked = await explained(sha256(spec));
    expect(unmarked.stdout).toContain('The launch spec is another.');
  });

  it('reports a launch that is as expected', async () => {
    const done = await explain(...actual(EXPECTED.digest, SPEC));
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('The digest is the expected one');
    expect(done.stdout).toContain('HOST_DATA is the expected one');
  });

  it('finds a changed input of the launch without a record of the host', async () => {
    const done = await explain(...actual(record('kernel', 4).digest, SPEC));
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/^✗ vcpus /m);
  });

  it('finds a changed file by the record of the host', async () => {
    const done = await explain(`--actual=${NEWER.digest}`, '--record=newer');
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/^✗ kernel /m);
    expect(done.stdout).not.toContain('HOST_DATA');
  });

  it('names each field of the launch spec that differs', async () => {
    const done = await explain(...actual(NEWER.digest, OTHER), '--record=newer');
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('✗ deployment\n    expected: ""\n    actual:   "prod"\n');
    expect(done.stdout).toContain(
      '✗ process.env[1]\n    expected: nothing\n    actual:   "LD_PRELOAD=/evil.so"\n',
    );
    const flags = [...actual(NEWER.digest, OTHER), '--record=newer', '--json'];
    expect(JSON.parse((await explain(...flags)).stdout)).toMatchObject({
      explained: true,
      cause: { inputs: ['kernel'] },
      hostData: {
        matches: false,
        record: 'confirmed',
        differences: [{ path: 'deployment' }, { path: 'process.env[1]' }],
      },
    });
  });

  it('names the containers of a pod that get other secrets', async () => {
    const pod = (db: object, web: object): string =>
      canonicalJson({
        containers: [
          { name: 'db', ...db },
          { name: 'web', ...web },
        ],
      });
    write('expected', { launch: EXPECTED, spec: pod({ secrets: [] }, { secrets: ['pin'] }) });
    const actualSpec = pod({ secrets: ['pin'] }, {});
    write('other', { launch: EXPECTED, spec: actualSpec });
    const done = await explain(...actual(EXPECTED.digest, actualSpec), '--record=other');
    expect(done.stdout).toContain(
      '✗ containers[0].secrets[0]\n    expected: nothing\n    actual:   "pin"\n',
    );
    expect(done.stdout).toContain(
      '✗ containers[1].secrets\n    expected: ["pin"]\n    actual:   nothing\n',
    );
  });

  it('compares launch specs when the host has no launch record', async () => {
    write('forgotten', { launch: null, spec: OTHER });
    const done = await explain(...actual(EXPECTED.digest, OTHER), '--record=forgotten');
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('✗ process.env[1]');
  });

  it('distinguishes changed whitespace from a changed field', async () => {
    const spaced = actual(EXPECTED.digest, SPEC.replace(',', ', '));
    const done = await explain(...spaced, '--record=spaced');
    expect(done.stdout).toContain('say the same in other bytes');
  });

  it.each([
    ['does not believe a spec of another digest', '--record=newer', 'not the one of the box'],
    ['asks for the spec where there is none', '--record=record', 'Ask the host for'],
  ])('names no field of the spec, and %s', async (_, flag, words) => {
    const done = await explain(...actual(EXPECTED.digest, specOf([])), flag);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain(words);
    expect(done.stdout).not.toContain('✗ process');
  });

  it('accepts a launch record alone, but then compares no launch spec', async () => {
    const args = ['attest', 'explain', '--launch=record', `--actual=${EXPECTED.digest}`];
    expect(await transcript('/nonexistent', args, { cwd })).toMatchObject({ status: 0 });
    const more = [...args, `--actual-host-data=${sha256(SPEC)}`];
    const done = await transcript('/nonexistent', more, { cwd });
    expect(done.stderr).toContain('no launch spec to compare it with');
    expect(done.status).toBe(2);
  });

  const GOOD = `--actual=${EXPECTED.digest}`;

  it.each([
    [['--launch=gone', GOOD], 'open gone: no such file'],
    [['--launch=expected', GOOD, '--ovmf=x'], 'cannot use --ovmf with --launch'],
    [['--launch=expected', GOOD, '--vmm=qemu'], 'cannot use --vmm with --launch'],
    [['--launch=expected', GOOD, '--actual-host-data=ab'], 'exactly 64 hexadecimal digits'],
    [['--launch=expected'], 'flag --actual is missing'],
    [['--launch=list', GOOD], '(launch-record-malformed)'],
    [['--launch=spec-object', GOOD], 'not the text of a launch spec'],
    [['--launch=spec-text', GOOD], 'not the text of a launch spec'],
    [['--launch=expected', GOOD, '--record=spec-list'], 'not the text of a launch spec'],
    [['--launch=no-record', GOOD], '(launch-record-malformed)'],
    [['--launch=forgotten', GOOD], 'it has no launch record'],
  ])('refuses attest explain %j', async (flags, message) => {
    write('forgotten', { launch: null, spec: SPEC });
    write('list', [1]);
    write('spec-object', { launch: EXPECTED, spec: {} });
    write('spec-text', { launch: EXPECTED, spec: 'no JSON' });
    write('spec-list', { launch: EXPECTED, spec: '[]' });
    write('no-record', { launch: {}, spec: SPEC });
    const done = await transcript('/nonexistent', ['attest', 'explain', ...flags], { cwd });
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status: 2, stdout: '' });
  });
});
