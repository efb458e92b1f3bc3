import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import { type StartedRegistry, startRegistry } from '../../registry/testing/start-registry.ts';
import { decideTrust } from '../decide.ts';
import { loadPolicy } from '../policy/load-policy.ts';
import type { PolicyKey, Requirement } from '../policy.ts';
import { attachmentsOf, pushManifest } from '../testing/attachments-of.ts';
import {
  identityOf,
  keyOf,
  NOW,
  questionOf,
  requirementOf,
  requiring,
} from '../testing/policies.ts';
import { type SigstoreServices, startSigstore } from '../testing/sigstore-services.ts';
import { ISSUER, type SigstoreWorld, SUBJECT, sigstoreWorld } from '../testing/sigstore-world.ts';

const run = promisify(execFile);
const PROVENANCE = 'https://slsa.dev/provenance/v1';
const BUNDLED = 'https://example.com/check/v1';

let registry: StartedRegistry;
let world: SigstoreWorld;
let services: SigstoreServices;
let home: string;
let keys: Record<'first' | 'second', PolicyKey>;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'a3s-cosign-'));
  [registry, world] = await Promise.all([startRegistry(), sigstoreWorld()]);
  services = await startSigstore(world);
  keys = { first: await makeKey('first'), second: await makeKey('second') };
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

async function makeKey(name: string): Promise<PolicyKey> {
  await cosign(['generate-key-pair', '--output-key-prefix', name]);
  return keyOf(`${name}.pub`, createPublicKey(readFileSync(join(home, `${name}.pub`))));
}

const PLAIN = ['--allow-http-registry', '-y'];
const OFFLINE = ['--tlog-upload=false', ...PLAIN];

/** An image of one test in a repository of its own. */
class Signed {
  readonly repository: string;
  readonly digest: Digest;

  constructor(repository: string, digest: Digest) {
    this.repository = repository;
    this.digest = digest;
  }

  get name(): string {
    return `${registry.host}/${this.repository}@${this.digest}`;
  }

  async sign(key: string, ...more: string[]): Promise<this> {
    await cosign(['sign', '--key', `${key}.key`, ...OFFLINE, ...more, this.name]);
    return this;
  }

  async attest(key: string, type: string, predicate: object, ...more: string[]): Promise<this> {
    writeFileSync(join(home, 'predicate.json'), JSON.stringify(predicate));
    const said = ['--predicate', 'predicate.json', '--type', type];
    await cosign(['attest', '--key', `${key}.key`, ...said, ...OFFLINE, ...more, this.name]);
    return this;
  }

  async keyless(verb: 'sign' | 'attest', ...more: string[]): Promise<this> {
    const where = ['--fulcio-url', services.url, '--rekor-url', services.url];
    const args = [verb, ...where, '--identity-token', services.token, ...PLAIN, ...more];
    await cosign([...args, this.name], services.environment(home));
    return this;
  }

  async attachments(): Promise<Attachment[]> {
    return await attachmentsOf(registry.url, this.repository, this.digest);
  }

  async decide(...require: Partial<Requirement>[]) {
    return await decideTrust(
      questionOf(this.digest, await this.attachments(), {
        repository: `${registry.host}/${this.repository}`,
        tag: undefined,
      }),
      requiring(...require.map(requirementOf)),
      NOW,
    );
  }
}

async function image(repository: string): Promise<Signed> {
  return new Signed(repository, await pushManifest(registry.url, repository));
}

describe('what cosign signs with a key', () => {
  it('accepts a signature of cosign by its key, and by no other', async () => {
    const signed = await (await image('team/key')).sign('first');
    expect(await signed.decide({ keys: [keys.first] })).toMatchObject({ verdict: 'signed' });
    const refused = await signed.decide({ keys: [keys.second] });
    expect(refused.reason).toContain('1 signature was found: it is not by "second.pub"');
  });

  it('reads the repository and the annotations of a cosign signature', async () => {
    const signed = await (await image('team/name')).sign('first', '-a', 'env=prod');
    const by = { keys: [keys.first], dockerReference: 'repository' } as const;
    expect(await signed.decide({ ...by, annotations: { env: 'prod' } })).toMatchObject({
      verdict: 'signed',
    });
    const other = await signed.decide({ ...by, annotations: { env: 'test' } });
    expect(other.reason).toContain('its annotation "env" is "prod", and should be "test"');
  });

  it('counts two signatures of cosign by two keys as two signers', async () => {
    const signed = await (await image('team/two')).sign('first');
    const both = { keys: [keys.first, keys.second], threshold: 2 };
    expect(await signed.decide(both)).toMatchObject({ verdict: 'refused' });
    await signed.sign('second');
    expect(await signed.decide(both)).toMatchObject({ verdict: 'signed' });
  });

  it('accepts a signature of cosign by an Ed25519 key', async () => {
    await run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(home, 'ed.pem')]);
    await cosign(['import-key-pair', '--key', 'ed.pem', '--output-key-prefix', 'ed']);
    const key = keyOf('ed.pub', createPublicKey(readFileSync(join(home, 'ed.pub'))));
    const signed = await (await image('team/ed')).sign('ed');
    expect(await signed.decide({ keys: [key] })).toMatchObject({ verdict: 'signed' });
  });

  it('accepts a signature of cosign that is attached as an OCI 1.1 referrer', async () => {
    const signed = await image('team/referrer');
    const args = ['sign', '--key', 'first.key', '--registry-referrers-mode', 'oci-1-1'];
    await cosign([...args, ...OFFLINE, signed.name], { COSIGN_EXPERIMENTAL: '1' });
    const [attachment, ...others] = await signed.attachments();
    expect(attachment?.attachedBy).toBe('referrer');
    expect(others).toEqual([]);
    expect(await signed.decide({ keys: [keys.first] })).toMatchObject({ verdict: 'signed' });
  });

  it('refuses a signature of cosign that was moved to another image', async () => {
    const signed = await (await image('team/moved')).sign('first');
    const victim = await image('team/victim');
    const stolen = (await signed.attachments()).map((one) => ({ ...one, subject: victim.digest }));
    const question = questionOf(victim.digest, stolen);
    const policy = requiring(requirementOf({ keys: [keys.first] }));
    const decision = await decideTrust(question, policy, NOW);
    expect(decision.reason).toContain(`it is for another digest, "${signed.digest}"`);
  });
});

describe('what cosign attests with a key', () => {
  const failure = (statement: unknown) =>
    JSON.stringify(statement).includes('"id":"ours"') ? undefined : 'it is another builder';
  const conditions = [{ text: 'predicate.builder.id == "ours"', failure }];

  it('accepts an attestation of cosign by its type and conditions', async () => {
    const ours = await image('team/attested');
    await ours.attest('first', PROVENANCE, { builder: { id: 'ours' } });
    const wanted = { predicateType: PROVENANCE, conditions };
    const by = { keys: [keys.first], attestation: wanted };
    expect(await ours.decide(by)).toMatchObject({ verdict: 'signed' });
    const otherType = { ...by, attestation: { ...wanted, predicateType: BUNDLED } };
    expect((await ours.decide(otherType)).reason).toContain(`it is of type "${PROVENANCE}"`);
    expect((await ours.decide({ keys: [keys.first] })).reason).toContain('none was found');

    const theirs = await image('team/attested-by-them');
    await theirs.attest('first', PROVENANCE, { builder: { id: 'theirs' } });
    expect((await theirs.decide(by)).reason).toContain('does not hold: it is another builder');
  });

  it('accepts an attestation of cosign in a bundle', async () => {
    const signed = await image('team/bundled');
    await signed.attest('first', BUNDLED, { passed: true }, '--new-bundle-format');
    const attestation = { predicateType: BUNDLED, conditions: [] };
    const decision = await signed.decide({ keys: [keys.first], attestation });
    expect(decision.verdict).toBe('signed');
    expect(decision.requirements[0]?.findings[0]?.format).toBe('bundle-0.3');
    const refused = await signed.decide({ keys: [keys.second], attestation });
    expect(refused.verdict).toBe('refused');
  });
});

describe('what cosign signs without a key', () => {
  const by = (): Partial<Requirement> => ({
    identities: [identityOf(ISSUER, SUBJECT)],
    transparencyLog: 'required',
    trustMaterial: world.material,
  });

  it('reads the signer of a cosign signature from its certificate', async () => {
    const signed = await (await image('team/keyless')).keyless('sign');
    expect(await signed.decide(by())).toMatchObject({ verdict: 'signed' });
    const other = await signed.decide({ ...by(), identities: [identityOf(ISSUER, 'x')] });
    expect(other.reason).toContain(`it is by "${SUBJECT}" of "${ISSUER}"`);
  });

  it.each(['dsse', 'intoto'])(
    'accepts a keyless attestation of cosign with a log entry of type %s',
    async (type) => {
      writeFileSync(join(home, 'keyless.json'), '{}');
      const signed = await image(`team/keyless-${type}`);
      const said = ['--predicate', 'keyless.json', '--type', BUNDLED];
      await signed.keyless('attest', ...said, '--rekor-entry-type', type);
      const attestation = { predicateType: BUNDLED, conditions: [] };
      const decision = await signed.decide({ ...by(), attestation });
      expect(decision.reason).toContain('holds: signed by');
      const stranger = await sigstoreWorld();
      const elsewhere = { ...by(), attestation, trustMaterial: stranger.material };
      expect(await signed.decide(elsewhere)).toMatchObject({ verdict: 'refused' });
    },
  );

  it.each(['sign', 'attest'] as const)(
    'accepts a timestamp in place of a log entry for cosign %s',
    async (verb) => {
      writeFileSync(join(home, 'stamped.json'), '{}');
      const signed = await image(`team/stamped-${verb}`);
      const said = verb === 'sign' ? [] : ['--predicate', 'stamped.json', '--type', BUNDLED];
      const stamped = ['--timestamp-server-url', `${services.url}/api/v1/timestamp`];
      await signed.keyless(verb, ...said, ...stamped, '--tlog-upload=false');
      const attestation = verb === 'sign' ? undefined : { predicateType: BUNDLED, conditions: [] };
      const unlogged = { ...by(), attestation, transparencyLog: 'none' } as const;
      const decision = await signed.decide(unlogged);
      expect(decision.reason).toContain('holds: signed by');
      expect(decision.requirements[0]?.findings[0]?.signedAt).toBeDefined();
      const logged = await signed.decide({ ...unlogged, transparencyLog: 'required' });
      expect(logged.reason).toContain('it has no entry in a transparency log');
    },
  );
});

describe('a policy in files', () => {
  it('decides on signatures of cosign by the keys and identities of a policy file', async () => {
    writeFileSync(join(home, 'root.json'), JSON.stringify(TrustedRoot.toJSON(world.root)));
    const text = `
trustedRoots:
  ours: { file: root.json }
images:
  - pattern: "${registry.host}/guarded/*"
    require:
      - keys: [first.pub]
        transparencyLog: none
        dockerReference: repository
      - keys: [second.pub, first.pub]
        transparencyLog: none
        attestation:
          predicateType: "${PROVENANCE}"
          conditions: ['predicate.builder.id == "ours"']
      - identities: [{ issuer: "${ISSUER}", subjectPattern: "https://ci.example/team/*" }]
        trustedRoot: ours
  - pattern: "${registry.host}/old/**"
    deny: it is no longer built
`;
    const given = { source: 'call', path: undefined, text, directory: home } as const;
    const policy = await loadPolicy(given, { tufCache: join(home, 'tuf') });
    const signed = await image('guarded/app');
    const decide = async (repository: string) =>
      await decideTrust(
        questionOf(signed.digest, await signed.attachments(), {
          repository: `${registry.host}/${repository}`,
        }),
        policy,
        NOW,
      );
    await signed.sign('first');
    expect((await decide('guarded/app')).reason).toContain('no attestation of type');
    await signed.attest('second', PROVENANCE, { builder: { id: 'ours' } });
    expect((await decide('guarded/app')).reason).toContain('no signature by');
    await signed.keyless('sign');
    expect(await decide('guarded/app')).toMatchObject({
      verdict: 'signed',
      rule: { index: 0, pattern: `${registry.host}/guarded/*`, action: 'require' },
    });
    expect((await decide('guarded/other')).reason).toContain('it is for the name');
    expect((await decide('old/app')).reason).toContain('denies it: "it is no longer built"');
    expect((await decide('guarded/deep/app')).reason).toContain('no rule of the image policy');
  });
});
