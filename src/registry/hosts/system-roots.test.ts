import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORT_LIMITS } from '../http/transport-limits.ts';
import { openRegistry } from '../open-registry.ts';
import { type StartedRegistry, startRegistry } from '../testing/start-registry.ts';
import { readSystemRoots, rootsFiles } from './system-roots.ts';

const PEM = '-----BEGIN CERTIFICATE-----\n';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-roots-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the authorities of the system', () => {
  it('reads the system roots from SSL_CERT_FILE, or from the bundle of the distribution', () => {
    expect(rootsFiles({ SSL_CERT_FILE: '/roots.pem' })).toEqual(['/roots.pem']);
    expect(rootsFiles({})).toContain('/etc/ssl/certs/ca-certificates.crt');
  });

  it('reads the first existing file of system roots alone, or else the roots of Node', async () => {
    const bundle = join(directory, 'bundle.pem');
    writeFileSync(bundle, PEM);
    expect(await readSystemRoots([join(directory, 'none'), bundle])).toEqual([PEM]);
    expect(await readSystemRoots([join(directory, 'none')])).toBe(rootCertificates);
  });

  it('refuses a file of system roots that holds no certificates', async () => {
    const empty = join(directory, 'empty.pem');
    writeFileSync(empty, '');
    for (const [path, reason] of [
      [directory, 'it is not a regular file'],
      [empty, 'it has no certificate in PEM'],
    ] as const) {
      await expect(readSystemRoots([path])).rejects.toMatchObject({
        code: 'key-invalid',
        message: `Cannot use the trusted authorities of ${path}: ${reason}`,
      });
    }
  });

  it('verifies registries with the system roots', async () => {
    const started: StartedRegistry = await startRegistry({ tls: true });
    try {
      const bundle = String(started.authority?.caFile);
      const files = { certsDirectories: [], registriesFiles: [] };
      const name = `${started.host}/team/app`;
      for (const [roots, found] of [
        [[bundle], undefined],
        [[], 'registry-unreachable'],
      ] as const) {
        const registry = openRegistry({ ...files, rootsFiles: roots, limits: TRANSPORT_LIMITS });
        const answer = await registry
          .repository(name, { access: 'pull' })
          .manifest('none')
          .catch((error: { code: string }) => error.code);
        expect(answer).toBe(found);
        await registry.close();
      }
    } finally {
      await started.stop();
    }
  });
});
