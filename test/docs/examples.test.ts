/**
 * The examples of the documentation, run as they stand, in a directory with the files that they
 * name.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeCertificateTable, encodePem, VERIFY_CHECKS } from '@a3s-box/attestation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPRAISAL_CHECKS } from '../../attestation/src/appraise/appraisal-checks.ts';
import { buildOvmf } from '../../attestation/src/measure/testing/build-ovmf.ts';
import { parseReport } from '../../attestation/src/report/parse.ts';
import { unverifiedClaims } from '../../attestation/src/report/parsed-report.ts';
import { readVector } from '../../attestation/src/testing/read-vectors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside of the repository, where the packages resolve.
const directory = join(root, 'build/examples');

/** The evidence's own time, at which its certificate and list are valid. */
const NOW = '2025-10-01T00:00:00Z';

function blocksOf(path: string, language: string): readonly string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  );
}

beforeAll(() => {
  const { evidence, options } = readVector('hardware/genoa-v5');
  const { report, vek = new Uint8Array() } = evidence;
  const { reportData } = unverifiedClaims(parseReport(report));
  const [policy = ''] = blocksOf('attestation/README.md', 'yaml');
  const files = {
    'report.bin': report,
    'vcek.der': vek,
    'vcek.pem': encodePem('CERTIFICATE', vek),
    'crl.der': options.crl ?? '',
    auxblob: encodeCertificateTable({ vcek: vek }),
    nonce: Buffer.from(reportData, 'hex'),
    'policy.yaml': policy,
    'OVMF.fd': buildOvmf(),
    vmlinuz: 'a kernel',
    initrd: 'an initrd',
  };
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content);
  }
  utimesSync(join(directory, 'crl.der'), new Date(NOW), new Date(NOW));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('examples', () => {
  const examples = ['attestation/README.md', 'policies/README.md'].flatMap((path) =>
    blocksOf(path, 'ts').map((example, index) => [`${path}, number ${index + 1}`, example]),
  );

  it.each(examples)('runs the example %s', (name, example) => {
    const file = join(directory, `${`${name}`.replaceAll(/\W+/g, '-')}.mts`);
    writeFileSync(file, `${example}`.replaceAll('new Date()', `new Date('${NOW}')`));
    const args = ['--conditions=a3s-source', '--import', 'tsx', file];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, TSX_DISABLE_CACHE: '1' },
      timeout: 60_000,
    });
    // A failed assertion of the console is a line there, and no more.
    expect([status, stderr]).toEqual([0, '']);
  });

  it('finds all examples of the documentation', () => {
    expect(examples.length).toBeGreaterThanOrEqual(6);
  });
});

describe('docs/attestation.md', () => {
  const text = readFileSync(join(root, 'docs/attestation.md'), 'utf8');

  it.each([...Object.keys(VERIFY_CHECKS), ...Object.keys(APPRAISAL_CHECKS)])(
    'docs/attestation.md explains the check %s',
    (code) => {
      expect(text).toContain(`\`${code}\``);
    },
  );
});
