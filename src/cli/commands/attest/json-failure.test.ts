import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EvidenceFiles } from '../../testing/evidence-files.ts';
import { transcript } from '../../testing/fake-context.ts';
import { failureOf } from './json-failure.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-failure-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

describe('failures with --json', () => {
  const GONE = { code: 'invalid-argument', error: { message: expect.stringMatching(/^--.*gone/) } };
  it.each([
    [['show', '--report=gone'], GONE],
    [['verify', '--report=gone'], { accepted: false, checks: [], ...GONE }],
    [['measure', '--vcpus=1', '--vcpu-type=EPYC', '--ovmf=gone'], GONE],
    [
      ['explain', `--actual=${'0'.repeat(96)}`, '--vcpus=1', '--vcpu-type=EPYC', '--ovmf=gone'],
      { explained: false, ...GONE },
    ],
    [['fetch-certs', '--import=gone'], GONE],
    [
      ['show', '--report=report.bin'],
      {
        code: 'report-version',
        error: { message: expect.any(String), expected: '2, 3, 4, 5', found: '0' },
      },
    ],
    [
      ['measure', '--ovmf=report.bin', '--vcpus=1'],
      {
        code: 'invalid-argument',
        error: {
          message: 'flag --vcpu-type is missing',
          remedy: expect.stringContaining('--help'),
        },
      },
    ],
  ] as const)('prints a failure as a document with --json: attest %j', async (args, document) => {
    new EvidenceFiles(cwd, 'hardware', 'genoa-v5').write('report.bin', Buffer.alloc(1184));
    const done = await transcript('/nonexistent', ['attest', ...args, '--json'], { cwd });
    expect(done.status).toBe(2);
    expect(done.stderr).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
    expect(JSON.parse(done.stdout)).toEqual(document);
  });

  it('prints a failure without --json on standard error alone', async () => {
    const args = ['attest', 'show', '--report=gone'];
    expect((await transcript('/nonexistent', args, { cwd })).stdout).toBe('');
  });

  it('prints only the message of an unexpected error', () => {
    expect(failureOf(new Error('oops'))).toEqual({ code: 'internal', error: { message: 'oops' } });
    expect(failureOf('oops')).toEqual({ code: 'internal', error: { message: 'oops' } });
  });
});
