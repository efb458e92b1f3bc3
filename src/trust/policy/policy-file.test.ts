import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../oci/digest.ts';
import { type StartedRegistry, startRegistry } from '../../registry/testing/start-registry.ts';
import { decideTrust } from '../decide.ts';
import type { TrustDecision } from '../decision.ts';
import { attachmentsOf, pushManifest } from '../testing/attachments-of.ts';
import { NOW, questionOf } from '../testing/policies.ts';
import { type SigstoreServices, startSigstore } from '../testing/sigstore-services.ts';
import { ISSUER, type SigstoreWorld, SUBJECT, sigstoreWorld } from '../testing/sigstore-world.ts';
import { standingPolicy } from './standing-policy.ts';

const run = promisify(execFile);

let registry: StartedRegistry;
let world: SigstoreWorld;
let services: SigstoreServices;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'a3s-cosign-'));
  [registry, world] = await Promise.all([startRegistry(), sigstoreWorld()]);
  services = await startSigstore(world);
  await cosign(['generate-key-pair', '--output-key-prefix', 'team']);
  const root = JSON.stringify(TrustedRoot.toJSON(world.root));
  writeFileSync(join(home, 'trusted_root.json'), root, { mode: 0o600 });
}, 60_000);

afterAll(async () => {
  await services?.stop();
  await registry?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function cosign(args: readonly string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env['PATH'], HOME: home, COSIGN_PASSWORD: '', ...environment };
  await run('cosign', args, { cwd: home, env, timeout: 60_000 });
}

const nameOf = (repository: string, digest: Digest): string =>
  `${registry.host}/${repository}@${digest}`;

/** Decides by `policy` as the standing policy of the home. */
async function decide(repository: string, digest: Digest, policy: string): Promise<TrustDecision> {
  writeFileSync(join(home, 'image-policy.yaml'), policy, { mode: 0o600 });
  const attachments = await attachmentsOf(registry.url, repository, digest);
  const named = { repository: `${registry.host}/${repository}`, tag: undefined };
  const loaded = await standingPolicy({ home, system: join(home, 'nothing') });
  return await decideTrust(questionOf(digest, attachments, named), loaded, NOW);
}

const OFFLINE = ['--key', 'team.key', '--tlog-upload=false', '--allow-http-registry', '-y'];

describe('a policy file', () => {
  it('accepts an image that cosign signed with a key of the policy, and no other', async () => {
    const policy = `
images:
  - pattern: "127.0.0.1:*/team/**"
    require: [{ keys: [team.pub], transparencyLog: none }]
  - pattern: "**"
    deny: nobody knows these
`;
    const digest = await pushManifest(registry.url, 'team/app');
    const refused = await decide('team/app', digest, policy);
    expect(refused).toMatchObject({ verdict: 'refused', rule: { index: 0, action: 'require' } });
    await cosign(['sign', ...OFFLINE, nameOf('team/app', digest)]);
    expect(await decide('team/app', digest, policy)).toMatchObject({
      verdict: 'signed',
      policy: { source: 'file', path: join(home, 'image-policy.yaml') },
      requirements: [{ findings: [{ signer: { kind: 'key', name: 'team.pub' } }] }],
    });
    const other = await pushManifest(registry.url, 'other/app');
    expect(await decide('other/app', other, policy)).toMatchObject({
      verdict: 'refused',
      rule: { index: 1, pattern: '**', action: 'deny' },
    });
  });

  it('evaluates the conditions of the policy on attestations of cosign', async () => {
    const policy = (condition: string): string => `
images:
  - pattern: "**"
    require:
      - keys: [team.pub]
        transparencyLog: none
        attestation:
          predicateType: https://slsa.dev/provenance/v1
          conditions: ['${condition}']
`;
    const digest = await pushManifest(registry.url, 'team/built');
    const predicate = { builder: { id: 'ours' }, steps: [1, 2, 3, 4] };
    writeFileSync(join(home, 'predicate.json'), JSON.stringify(predicate));
    const said = ['--predicate', 'predicate.json', '--type', 'https://slsa.dev/provenance/v1'];
    await cosign(['attest', ...said, ...OFFLINE, nameOf('team/built', digest)]);
    const by = (condition: string) => decide('team/built', digest, policy(condition));
    expect(await by('predicate.builder.id == "ours" && size(predicate.steps) > 3')).toMatchObject({
      verdict: 'signed',
    });
    expect((await by('predicate.builder.id == "theirs"')).reason).toContain(
      'does not hold: it is false',
    );
    expect((await by('predicate.builder.name == "ours"')).reason).toContain(
      'does not hold: it cannot be evaluated: field not found: name',
    );
  });

  it("accepts certificates of the policy's own trusted root, and of no other", async () => {
    const policy = (root: string, subject: string): string => `
trustedRoots:
  own: { file: trusted_root.json }
images:
  - pattern: "**"
    require:
      - identities: [{ issuer: "${ISSUER}", ${subject} }]
        trustedRoot: ${root}
`;
    const digest = await pushManifest(registry.url, 'team/keyless');
    const where = ['--fulcio-url', services.url, '--rekor-url', services.url];
    const args = ['sign', ...where, '--identity-token', services.token, '-y'];
    const name = nameOf('team/keyless', digest);
    await cosign([...args, '--allow-http-registry', name], services.environment(home));
    const by = (root: string, subject: string) =>
      decide('team/keyless', digest, policy(root, subject));
    expect(await by('own', `subject: "${SUBJECT}"`)).toMatchObject({ verdict: 'signed' });
    expect(await by('own', 'subjectPattern: "https://ci.example/*/app"')).toMatchObject({
      verdict: 'signed',
      requirements: [{ findings: [{ signer: { kind: 'identity', subject: SUBJECT } }] }],
    });
    for (const pattern of ['https://ci.example/*', 'https://ci.example/**/other', '*']) {
      expect(await by('own', `subjectPattern: "${pattern}"`)).toMatchObject({
        verdict: 'refused',
      });
    }
    expect(await by('public', `subject: "${SUBJECT}"`)).toMatchObject({ verdict: 'refused' });
  });
});
