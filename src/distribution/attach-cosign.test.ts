import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildImage, dockerArchive } from '../images/testing/build-image.ts';
import { isDigest } from '../oci/digest.ts';
import { openRegistry } from '../registry/open-registry.ts';
import type { Registry } from '../registry/registry.ts';
import { type StartedRegistry, startRegistry } from '../registry/testing/start-registry.ts';
import { pushAttachment } from './attach.ts';
import type { PayloadLayer } from './attachment-artifact.ts';
import { freshAttachments } from './refresh.ts';

let started: StartedRegistry;
let registry: Registry;
beforeAll(async () => {
  started = await startRegistry();
  registry = openRegistry({ certsDirectories: [], registriesFiles: [] });
});
afterAll(async () => {
  await registry?.close();
  await started?.stop();
});

function tool(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: started.directory,
    env: { PATH: process.env['PATH'], HOME: started.directory, COSIGN_PASSWORD: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    encoding: 'utf8',
  });
}

/** A signature that cosign wrote to files, not to the registry. */
function signedBy(key: string, image: string): PayloadLayer {
  const files = ['--output-signature', `${key}.sig`, '--output-payload', `${key}.json`];
  const flags = ['--yes', '--tlog-upload=false', '--upload=false', '--key', `${key}.key`];
  tool('cosign', 'sign', ...flags, ...files, image);
  return {
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    annotations: {
      'dev.cosignproject.cosign/signature': readFileSync(
        join(started.directory, `${key}.sig`),
        'utf8',
      ).trim(),
    },
    data: readFileSync(join(started.directory, `${key}.json`)),
  };
}

it('pushes signatures where cosign finds them, and keeps those of cosign', async () => {
  const archive = join(started.directory, 'image.tar');
  const layers = [[{ path: 'f', data: 'x' }]];
  writeFileSync(archive, dockerArchive([buildImage({ name: 'test/app:1', layers })]));
  const place = `${started.host}/team/app`;
  tool(
    'skopeo',
    'copy',
    '--dest-tls-verify=false',
    `docker-archive:${archive}`,
    `docker://${place}`,
  );
  const format = ['--format', '{{.Digest}}'];
  const digest = tool('skopeo', 'inspect', '--tls-verify=false', ...format, `docker://${place}`);
  const subject = digest.trim();
  if (!isDigest(subject)) throw new Error(`no digest: ${subject}`);
  const image = `${place}@${subject}`;
  for (const key of ['first', 'second', 'third']) {
    tool('cosign', 'generate-key-pair', '--output-key-prefix', key);
  }
  const repository = registry.repository(place, { access: 'push' });
  const kind = 'signature';
  await pushAttachment(repository, { subject, kind, layers: [signedBy('first', image)] });
  tool('cosign', 'sign', '--yes', '--tlog-upload=false', '--key', 'second.key', image);
  await pushAttachment(repository, { subject, kind, layers: [signedBy('third', image)] });
  for (const key of ['first', 'second', 'third']) {
    tool('cosign', 'verify', '--insecure-ignore-tlog=true', '--key', `${key}.pub`, image);
  }
  const { signal } = new AbortController();
  const fresh = await freshAttachments(registry, {
    ...{ names: [`${place}:latest`], subjects: [subject], credentials: undefined, signal },
  });
  expect(fresh).toHaveLength(1);
  expect(JSON.parse(String(fresh[0]?.manifest)).layers).toHaveLength(3);
});
