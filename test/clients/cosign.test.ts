import { chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SigstoreServices, startSigstore } from '../../src/trust/testing/sigstore-services.ts';
import {
  ISSUER,
  rootText,
  type SigstoreWorld,
  SUBJECT,
  sigstoreWorld,
} from '../../src/trust/testing/sigstore-world.ts';
import { ACTORS, Actor, type Result } from '../e2e/actor.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { expectRefusal } from '../e2e/refusal.ts';
import { CosignPublisher, PASSWORD } from '../peers/cosign-publisher.ts';

const CHECK = 'https://example.com/check/v1';

let installation: Installation;
let publisher: CosignPublisher;
let actor: Actor;
let world: SigstoreWorld;
let services: SigstoreServices;

beforeAll(async () => {
  installation = await install();
  publisher = await CosignPublisher.start();
  world = await sigstoreWorld();
  services = await startSigstore(world);
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  for (const name of ['cosign', 'other']) {
    for (const file of [`${name}.key`, `${name}.pub`]) give(file);
  }
  put('predicate.json', '{"passed": true, "checks": ["<one>"]}');
});
afterAll(async () => {
  await actor?.leave();
  await services?.stop();
  await publisher?.stop();
  installation?.remove();
});

/** A file for the actor, in the directory where its commands run. */
function put(name: string, text: string): void {
  const path = join(actor.directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** Where the actor is somebody else than the one who made it, it must be able to read it. */
function give(name: string): void {
  const path = join(actor.directory, name);
  cpSync(join(publisher.registry.directory, name), path);
  chmodSync(path, actor.name === 'root' ? 0o600 : 0o644);
}

const place = (name: string): string => publisher.place(name);
const publish = (name: string): Promise<string> => publisher.publish(name);
const verified = (name: string, key: string, ...flags: string[]): Promise<string> =>
  publisher.verify(name, key, ...flags);
const attested = (name: string, type: string, key = 'cosign'): Promise<object> =>
  publisher.verifyAttestation(name, key, type);

const ours = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  actor.run(args, { env: { COSIGN_PASSWORD: PASSWORD, ...env } });

async function succeeds(args: readonly string[]): Promise<Result> {
  const result = await ours(args);
  expect(result, `${result.stdout}${result.stderr}`).toMatchObject({ code: 0 });
  return result;
}

/** What our policy makes of it: exit status and text. */
async function held(name: string, requirement: string): Promise<Result> {
  put('policy.yaml', `images: [{ pattern: "**", require: [${requirement}] }]`);
  const flags = ['--refresh-signatures', '--image-policy', 'policy.yaml'];
  return await actor.run(['image', 'verify', ...flags, place(name)]);
}

const BY_KEY = '{ keys: [cosign.pub], transparencyLog: none }';
const keyAnd = (more: string): string => `{ keys: [cosign.pub], transparencyLog: none, ${more} }`;

describe('signatures by image sign', () => {
  it('cosign verifies our signature, and only ours', async () => {
    const digest = await publish('ours:1');
    await succeeds(['pull', '--quiet', place('ours:1')]);
    const args = [
      'image',
      'sign',
      '--key',
      'cosign.key',
      '-a',
      'stage=prod,run=7',
      place('ours:1'),
    ];
    const signed = await succeeds(args);
    expect(signed.stdout).toBe(`${place('ours')}@${digest}\n`);
    expect(signed.stderr).toContain(`Pushing signature to: ${place('ours')}\n`);
    const [found] = JSON.parse(await verified('ours:1', 'cosign', '-a', 'stage=prod'));
    expect(found).toMatchObject({
      critical: {
        identity: { 'docker-reference': place('ours') },
        image: { 'docker-manifest-digest': digest },
      },
      optional: { stage: 'prod', run: '7' },
    });
    await expect(verified('ours:1', 'other')).rejects.toThrow('no matching signatures');
    await expect(verified('ours:1', 'cosign', '-a', 'stage=test')).rejects.toThrow();
  });

  it('image sign puts the requested name into the signature, and stores it locally', async () => {
    const named = (kind: string) => keyAnd(`dockerReference: ${kind}`);
    const image = place('ours:1');
    const stored = async (kind: string): Promise<Result> => {
      put('named.yaml', `images: [{ pattern: "**", require: [${named(kind)}] }]`);
      return await actor.run(['image', 'verify', '--image-policy', 'named.yaml', image]);
    };
    expect(await stored('repository')).toMatchObject({ code: 0 });
    const refused = await stored('exact');
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('for the name');
    const name = ['--sign-container-identity', image];
    await succeeds(['image', 'sign', '--key', 'cosign.key', ...name, image]);
    expect(await stored('exact')).toMatchObject({ code: 0 });
    await verified('ours:1', 'cosign');
  });

  it.each([
    ['P-256', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['P-521', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521']],
    ['RSA', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072']],
    ['Ed25519', ['-algorithm', 'ED25519']],
  ])('cosign verifies our signature by a key of openssl on %s', async (kind, args) => {
    const name = `key-${kind.toLowerCase()}:1`;
    await publish(name);
    await publisher.tool('openssl', ['genpkey', ...args, '-out', 'plain.key']);
    await publisher.tool('openssl', ['pkey', '-in', 'plain.key', '-pubout', '-out', 'plain.pub']);
    const pem = readFileSync(join(publisher.registry.directory, 'plain.key'), 'utf8');
    const sign = ['image', 'sign', '--key', 'env://SIGNING', place(name)];
    expect(await ours(sign, { SIGNING: pem })).toMatchObject({ code: 0 });
    await verified(name, 'plain');
  });

  it('image sign adds its signature to those of cosign, and cosign to ours', async () => {
    const digest = await publish('both:1');
    const name = `both@${digest}`;
    const image = place(name);
    await publisher.sign(name, 'other');
    await succeeds(['image', 'sign', '--key', 'cosign.key', image]);
    await publisher.sign(name, 'other', '-a', 'again=1');
    await succeeds(['image', 'sign', '--key', 'cosign.key', '-a', 'ours=2', image]);
    for (const flags of [['cosign'], ['cosign', '-a', 'ours=2'], ['other', '-a', 'again=1']]) {
      await verified('both:1', ...(flags as [string]));
    }
    await actor.ok(['pull', '--quiet', place('both:1')]);
    const two = '{ keys: [cosign.pub, other.pub], threshold: 2, transparencyLog: none }';
    expect(await held('both:1', two)).toMatchObject({ code: 0 });
  });

  it('image sign signs the index of a multi-arch image, or the manifest named by digest', async () => {
    const manifest = await publish('multi:0');
    const index = await publisher.putIndex('multi', '1', manifest);
    expect(
      (await succeeds(['image', 'sign', '--key', 'cosign.key', place('multi:1')])).stdout,
    ).toBe(`${place('multi')}@${index}\n`);
    await verified('multi:1', 'cosign');
    await expect(verified('multi:0', 'cosign')).rejects.toThrow('no signatures found');
    await succeeds(['pull', '--quiet', place('multi:1')]);
    expect(await held('multi:1', BY_KEY)).toMatchObject({ code: 0 });
    await succeeds(['image', 'sign', '--key', 'other.key', `${place('multi')}@${manifest}`]);
    await verified('multi:0', 'other');
    await expect(verified('multi:1', 'other')).rejects.toThrow();
  });

  it('image sign without upload stores the signature locally, and cosign attaches its files', async () => {
    await publish('offline:1');
    await succeeds(['pull', '--quiet', place('offline:1')]);
    const files = ['--output-signature', 'offline.sig', '--output-payload', 'offline.json'];
    const flags = ['--upload=false', '--key', 'cosign.key', ...files];
    await succeeds(['image', 'sign', ...flags, place('offline:1')]);
    await expect(verified('offline:1', 'cosign')).rejects.toThrow('no signatures found');
    put('by-key.yaml', `images: [{ pattern: "**", require: [${BY_KEY}] }]`);
    const asked = ['image', 'verify', '--image-policy', 'by-key.yaml', place('offline:1')];
    expect(await actor.run(asked)).toMatchObject({ code: 0 });
    const [signature, payload] = ['sig', 'json'].map((kind) =>
      join(actor.directory, `offline.${kind}`),
    );
    await publisher.tool('cosign', [
      ...['attach', 'signature', '--signature', signature ?? ''],
      ...['--payload', payload ?? '', place('offline:1')],
    ]);
    await verified('offline:1', 'cosign');
  });

  it('image sign refuses an image that differs from the local one or is missing', async () => {
    await publish('moved:1');
    await succeeds(['pull', '--quiet', place('moved:1')]);
    await publisher.copy(`docker://${place('ours:1')}`, 'moved:1');
    const moved = await ours(['image', 'sign', '--key', 'cosign.key', place('moved:1')]);
    expectRefusal(moved, 1, 'conflict');
    expect(moved.stderr).toContain('and the registry has sha256:');
    const missing = await ours(['image', 'sign', '--key', 'cosign.key', place('missing:1')]);
    expectRefusal(missing, 1, 'not-in-registry');
    const wrong = await ours(['image', 'sign', '--key', 'cosign.key', place('moved:1')], {
      COSIGN_PASSWORD: 'another secret',
    });
    expectRefusal(wrong, 1, 'key-invalid');
    expect(wrong.stderr).not.toContain('another secret');
    const id = await actor.ok(['image', 'inspect', '--format', '{{.Id}}', place('moved:1')]);
    expectRefusal(await ours(['image', 'sign', '--key', 'cosign.key', id]), 1, 'invalid-argument');
  });
});

describe('attestations by image attest', () => {
  it('cosign verifies our attestation, and our policy checks conditions on it', async () => {
    const digest = await publish('attested:1');
    await succeeds(['pull', '--quiet', place('attested:1')]);
    const attest = ['image', 'attest', '--key', 'cosign.key', '--predicate', 'predicate.json'];
    await succeeds([...attest, '--type', CHECK, place('attested:1')]);
    await succeeds([...attest, '--type', 'cyclonedx', place('attested:1')]);
    await succeeds([...attest, place('attested:1')]);
    expect(await attested('attested:1', CHECK)).toMatchObject({
      predicateType: CHECK,
      subject: [{ name: place('attested'), digest: { sha256: digest.slice('sha256:'.length) } }],
      predicate: { passed: true, checks: ['<one>'] },
    });
    await attested('attested:1', 'cyclonedx');
    await attested('attested:1', 'custom');
    await expect(attested('attested:1', CHECK, 'other')).rejects.toThrow();
    const condition = (text: string) =>
      keyAnd(`attestation: { predicateType: "${CHECK}", conditions: ["${text}"] }`);
    expect(await held('attested:1', condition('predicate.passed'))).toMatchObject({ code: 0 });
    expect(await held('attested:1', condition('!predicate.passed'))).toMatchObject({ code: 1 });
  });

  it('image attestations lists ours and those of cosign, and verifies by key', async () => {
    const predicate = ['--predicate', join(actor.directory, 'predicate.json')];
    await publisher.attest('attested:1', 'other', '--type', CHECK, ...predicate);
    await succeeds(['pull', '--quiet', place('attested:1')]);
    const list = ['image', 'attestations', '--type', CHECK, '--format', '{{.Signer}}'];
    const unverified = await actor.run([...list, place('attested:1')]);
    expect(unverified.stdout).toBe('not verified\nnot verified\n');
    expect(unverified.stderr).toContain('None of these is verified');
    const byKey = await actor.run([...list, '--key', 'other.pub', place('attested:1')]);
    expect(byKey).toMatchObject({ code: 0, stdout: 'not that key\nother.pub\n', stderr: '' });
    const output = ['--output', '-', '--key', 'cosign.pub', '--type', 'cyclonedx'];
    const statements = await actor.ok(['image', 'attestations', ...output, place('attested:1')]);
    expect(JSON.parse(statements)).toMatchObject({ predicateType: 'https://cyclonedx.org/bom' });
    const none = ['--output', '-', '--key', 'other.pub', '--type', 'cyclonedx'];
    expect(await actor.run(['image', 'attestations', ...none, place('attested:1')])).toMatchObject({
      ...{ code: 1, stdout: '' },
    });
  });
});

describe('signatures by cosign', () => {
  it('our policy accepts a signature of cosign, and refuses it after tampering', async () => {
    const digest = await publish('theirs:1');
    await publisher.sign(`theirs@${digest}`, 'cosign');
    await succeeds(['pull', '--quiet', place('theirs:1')]);
    expect(await held('theirs:1', BY_KEY)).toMatchObject({ code: 0 });
    await publisher.tamper('theirs', digest);
    const refused = await held('theirs:1', BY_KEY);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('Refused: ');
    await expect(verified('theirs:1', 'cosign')).rejects.toThrow();
  });

  it('cosign refuses our signature after tampering', async () => {
    const digest = await publish('altered:1');
    await succeeds(['image', 'sign', '--key', 'cosign.key', place('altered:1')]);
    await verified('altered:1', 'cosign');
    await publisher.tamper('altered', digest);
    await expect(verified('altered:1', 'cosign')).rejects.toThrow();
  });

  it('our policy accepts a cosign bundle that refers to the image', async () => {
    await publish('bundle:1');
    const predicate = ['--predicate', join(actor.directory, 'predicate.json')];
    const flags = ['--new-bundle-format', '--type', CHECK, ...predicate];
    await publisher.attest('bundle:1', 'cosign', ...flags);
    await succeeds(['pull', '--quiet', place('bundle:1')]);
    const attestation = keyAnd(`attestation: { predicateType: "${CHECK}" }`);
    expect(await held('bundle:1', attestation)).toMatchObject({ code: 0 });
    const list = [
      'image',
      'attestations',
      '--key',
      'cosign.pub',
      '--format',
      '{{.Type}} {{.Signer}}',
    ];
    expect(await actor.ok([...list, place('bundle:1')])).toBe(`${CHECK} cosign.pub`);
  });

  it('our policy accepts a keyless signature by identity under a custom trusted root', async () => {
    await publish('keyless:1');
    const fulcio = ['--fulcio-url', services.url, '--rekor-url', services.url];
    const token = ['--identity-token', services.token, '--yes'];
    const environment = services.environment(publisher.registry.directory);
    const sign = ['sign', ...fulcio, ...token, place('keyless:1')];
    await publisher.tool('cosign', sign, environment);
    put('root.json', rootText(world));
    await succeeds(['pull', '--quiet', place('keyless:1')]);
    expect(await identified('keyless:1', ISSUER)).toMatchObject({ code: 0 });
    const other = await identified('keyless:1', 'https://other.example');
    expect(other.code).toBe(1);
    expect(other.stdout).toContain('Refused: ');
  });
});

async function identified(name: string, issuer: string): Promise<Result> {
  const policy = {
    trustedRoots: { test: { file: 'root.json' } },
    images: [
      {
        pattern: '**',
        require: [{ identities: [{ issuer, subject: SUBJECT }], trustedRoot: 'test' }],
      },
    ],
  };
  put('keyless.yaml', JSON.stringify(policy));
  const flags = ['--refresh-signatures', '--image-policy', 'keyless.yaml'];
  return await actor.run(['image', 'verify', ...flags, place(name)]);
}
