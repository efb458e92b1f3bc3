import { execFile as execFileCallback } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  type StartedRegistry,
  type StartRegistryOptions,
  startRegistry,
} from './start-registry.ts';

// Asynchronous, since the token server answers in this process.
const execFile = promisify(execFileCallback);

/** Copies an image to the registry with skopeo, and returns where the registry stores it. */
async function skopeoCopies(
  registry: StartedRegistry,
  credentials: readonly string[],
): Promise<string> {
  const layout = join(registry.directory, 'layout');
  await execFile('umoci', ['init', '--layout', layout]);
  await execFile('umoci', ['new', '--image', `${layout}:t`]);
  const certs = ['--dest-cert-dir', join(registry.certsDirectory(), registry.host)];
  const plain = registry.url.startsWith('http:') ? ['--dest-tls-verify=false'] : certs;
  const policy = join(registry.directory, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const target = `docker://${registry.host}/team/empty:1`;
  const args = ['--policy', policy, 'copy', '-q', ...plain, ...credentials, `oci:${layout}:t`];
  await execFile('skopeo', [...args, target], { timeout: 20_000 });
  return join(registry.directory, 'storage/docker/registry/v2/repositories/team/empty');
}

describe('the registry of tests', () => {
  const kinds: [string, StartRegistryOptions, readonly string[]][] = [
    ['plain', {}, []],
    ['with TLS', { tls: true }, []],
    ['that wants client certificates', { tls: 'client' }, []],
    ['with basic authentication', { htpasswd: true }, ['--dest-creds', 'ci:open sesame']],
    ['with tokens', { tls: true, token: true }, ['--dest-creds', 'ci:open sesame']],
    ['with tokens without TLS', { token: true }, ['--dest-creds', 'ci:open sesame']],
  ];
  for (const [kind, options, credentials] of kinds) {
    it(`starts a test registry that skopeo uses, ${kind}`, async () => {
      const registry = await startRegistry(options);
      try {
        expect(existsSync(await skopeoCopies(registry, credentials))).toBe(true);
      } finally {
        await registry.stop();
      }
      expect(existsSync(registry.directory)).toBe(false);
    });
  }
});
