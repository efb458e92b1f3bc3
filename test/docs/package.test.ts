/**
 * The packages as their users install them: what `npm pack` takes, beside their dependencies
 * alone, in a directory outside of the repository.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readVector } from '../../attestation/src/testing/read-vectors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(root, 'node_modules/@typescript/native/bin/tsc');

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const PACKAGES = ['policies', 'attestation', 'sealing'] as const;

let directory: string;
const packed = new Map<string, readonly string[]>();

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-package-'));
  run(root, process.execPath, TSC, '-b', 'attestation', 'sealing');
  for (const name of PACKAGES) install(name);
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function run(cwd: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
  return stdout;
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8'));
}

/** Puts the package's files into place, and whatever it depends on that is not ours. */
function install(name: (typeof PACKAGES)[number]): void {
  const [list] = JSON.parse(
    run(
      join(root, name),
      'npm',
      'pack',
      '--dry-run',
      '--json',
      '--ignore-scripts',
      '--offline',
      '--silent',
    ),
  );
  const files: readonly string[] = list.files.map(({ path }: { path: string }) => path);
  packed.set(name, files);
  const target = join(directory, 'node_modules/@a3s-box', name);
  for (const file of files) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(root, name, file), join(target, file));
  }
  for (const dependency of Object.keys(manifestOf(name).dependencies ?? {})) {
    if (dependency.startsWith('@a3s-box/')) continue;
    const from = join(root, 'node_modules', dependency);
    cpSync(from, join(directory, 'node_modules', dependency), { recursive: true });
  }
}

describe.each(PACKAGES)('the package of %s', (name) => {
  it('packs every file that it exports', () => {
    const files = packed.get(name) ?? [];
    const targets = Object.values(manifestOf(name).exports)
      .flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
      .filter((target) => !target.includes('*'));
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) expect(files).toContain(target.replace('./', ''));
  });

  it('packs the licence of the repository', () => {
    const file = join(directory, 'node_modules/@a3s-box', name, 'LICENSE');
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
  });

  it('packs no tests into published packages', () => {
    const files = packed.get(name) ?? [];
    expect(files.filter((file) => /\.test\.|(^|\/)testing\//.test(file))).toEqual([]);
  });
});

describe('installed packages', () => {
  it('installed packages verify and appraise evidence in plain Node.js', () => {
    const { evidence, options } = readVector('hardware/genoa-v5');
    writeFileSync(join(directory, 'report.bin'), evidence.report);
    writeFileSync(join(directory, 'vcek.der'), evidence.vek ?? '');
    writeFileSync(join(directory, 'crl.der'), options.crl ?? '');
    const program = `
      import { readFileSync } from 'node:fs';
      import { appraise, verify } from '@a3s-box/attestation';
      import * as browser from '@a3s-box/attestation/browser';
      import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
      import { readPolicyDocument } from '@a3s-box/policies/document';
      const strict = new URL(import.meta.resolve('@a3s-box/policies/defaults/attestation-strict.yaml'));
      const policy = parseAttestationPolicy(readPolicyDocument(readFileSync(strict)));
      const evidence = { report: readFileSync('report.bin'), vek: readFileSync('vcek.der') };
      const options = { now: new Date('2025-10-01T00:00:00Z'), crl: readFileSync('crl.der') };
      const { product } = (await browser.verify(evidence, options)).claims;
      const { code } = appraise(verify(evidence, options), policy);
      console.log(JSON.stringify({ product, code }));`;
    writeFileSync(join(directory, 'program.mjs'), program);
    const printed = run(directory, process.execPath, 'program.mjs');
    expect(JSON.parse(printed)).toEqual({ product: 'Genoa', code: 'measurement' });
  });

  it('the installed sealing package seals and opens in plain Node.js', () => {
    const program = `
      import { encodeHeader, parseEnvelope, seal, unseal } from '@a3s-box/sealing';
      const fill = (size, byte) => new Uint8Array(size).fill(byte);
      const header = {
        tee: 'simulated', policy: 'exact', purpose: 'p', guestSvn: 1, tcbVersion: 2n,
        measurement: fill(48, 3), idKeyDigest: fill(48, 0), hostData: fill(32, 4), salt: fill(32, 5),
      };
      const envelope = await seal(fill(3, 65), header, fill(32, 6));
      const { headerBytes } = parseEnvelope(envelope);
      if (Buffer.compare(headerBytes, encodeHeader(header)) !== 0) throw new Error('other header');
      console.log(Buffer.from(await unseal(envelope, fill(32, 6))).toString());`;
    writeFileSync(join(directory, 'sealing.mjs'), program);
    expect(run(directory, process.execPath, 'sealing.mjs')).toBe('AAA\n');
  });

  it('installed packages export exactly their entries, with types', () => {
    const entries = PACKAGES.flatMap((name) =>
      Object.keys(manifestOf(name).exports)
        .filter((entry) => !entry.includes('*'))
        .map((entry) => `@a3s-box/${name}${entry.slice(1)}`),
    );
    const imports = entries.map((entry, index) => `import * as e${index} from '${entry}';`);
    const uses = entries.map(
      (_, index) => `if (Object.keys(e${index}).length === 0) throw e${index};`,
    );
    const source = [...imports, ...uses].join('\n');
    writeFileSync(join(directory, 'entries.mjs'), source);
    run(directory, process.execPath, 'entries.mjs');

    writeFileSync(join(directory, 'entries.ts'), source);
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    const flags = ['--strict', '--noEmit', '--target', 'es2023', '--module', 'nodenext', ...types];
    run(directory, process.execPath, TSC, ...flags, 'entries.ts');

    const inside = "await import('@a3s-box/attestation/dist/verify/trace.js')";
    writeFileSync(
      join(directory, 'inside.mjs'),
      `${inside}.catch(({ code }) => console.log(code));`,
    );
    expect(run(directory, process.execPath, 'inside.mjs')).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });
});
