import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, dockerArchive } from '../images/testing/build-image.ts';
import { isDigest } from '../oci/digest.ts';
import { type StartedRegistry, startRegistry } from '../registry/testing/start-registry.ts';
import { MAX_STATEMENT_VALUES } from '../trust/limits.ts';
import { envelope, statement } from './attestation.ts';
import { goJson } from './go-json.ts';
import { cosignRepository, imagePayload, type Subject } from './image-payload.ts';
import { attestationLayer, signatureLayer } from './layers.ts';
import { predicateType } from './predicate-types.ts';
import { readSigningKey } from './read-signing-key.ts';
import type { SigningKey } from './signing-key.ts';

let registry: StartedRegistry;
let subject: Subject;
let image: string;
let key: SigningKey;

beforeAll(async () => {
  registry = await startRegistry();
  const archive = join(registry.directory, 'image.tar');
  const layers = [[{ path: 'f', data: 'x' }]];
  writeFileSync(archive, dockerArchive([buildImage({ name: 'test/app:1', layers })]));
  const name = `${registry.host}/team/app`;
  tool('skopeo', ...['copy', '--dest-tls-verify=false'], `docker-archive:${archive}`, ref(name));
  const format = ['--format', '{{.Digest}}'];
  const found = tool('skopeo', 'inspect', '--tls-verify=false', ...format, ref(name)).trim();
  if (!isDigest(found)) throw new Error(`no digest: ${found}`);
  subject = { name, digest: found };
  image = `${name}@${found}`;
  tool('cosign', 'generate-key-pair');
  key = await readSigningKey(read('cosign.key'), 'cosign.key', async () => '');
}, 60_000);
afterAll(() => registry?.stop());

const ref = (name: string): string => `docker://${name}`;
const read = (name: string): string => readFileSync(join(registry.directory, name), 'utf8');

function tool(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: registry.directory,
    env: { PATH: process.env['PATH'], HOME: registry.directory, COSIGN_PASSWORD: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    encoding: 'utf8',
  });
}

const OFFLINE = ['--yes', '--tlog-upload=false', '--key', 'cosign.key'];

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The last layer that cosign attached to the image. */
async function lastLayer(suffix: 'sig' | 'att'): Promise<{ layer: Layer; content: string }> {
  const base = `${registry.url}/v2/team/app`;
  const tag = `${subject.digest.replace(':', '-')}.${suffix}`;
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await fetch(`${base}/manifests/${tag}`, { headers: { accept } });
  const layer = ((await manifest.json()) as { layers: Layer[] }).layers.at(-1);
  if (layer === undefined) throw new Error('no layer');
  return { layer, content: await (await fetch(`${base}/blobs/${layer.digest}`)).text() };
}

describe('a signature', () => {
  it.each([
    [[]],
    [['stage=prod']],
    [['b<=2<&>', 'a=ü\u2028\u0001"\\', 'empty=', '10=x', '9=y', '__proto__=z', '😀=1', '\uffee=2']],
  ])(
    'writes the signature payload that cosign signs, with the annotations %j',
    async (annotations) => {
      const flags = annotations.flatMap((text) => ['-a', `"${text.replaceAll('"', '""')}"`]);
      tool('cosign', 'sign', ...OFFLINE, ...flags, image);
      const pairs = annotations.map((text) => text.split('=') as [string, string]);
      const payload = imagePayload(subject, new Map(pairs));
      const { layer, content } = await lastLayer('sig');
      expect(payload.toString()).toBe(content);
      const ours = signatureLayer(payload, key.sign(payload));
      expect(ours.mediaType).toBe(layer.mediaType);
      expect(Object.keys(ours.annotations)).toEqual(Object.keys(layer.annotations));
    },
  );

  it('spells Docker Hub repositories in a payload as cosign does', () => {
    expect(cosignRepository('docker.io/library/redis')).toBe('index.docker.io/library/redis');
    expect(cosignRepository('docker.io.example/x')).toBe('docker.io.example/x');
    expect(cosignRepository('r.example/docker.io/x')).toBe('r.example/docker.io/x');
  });

  it('refuses to sign more annotations than verification reads', () => {
    expect(() => imagePayload(subject, new Map([['a', 'x'.repeat(70_000)]]))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});

const PROVENANCE = {
  buildType: 'https://build.example/v1',
  builder: { id: 'https://builder.example' },
  invocation: { configSource: {} },
};
const LINK = {
  ...{ _type: 'link', name: 'build', byproducts: {}, command: ['make'], environment: {} },
  ...{ materials: {}, products: {} },
};

describe('an attestation', () => {
  it.each([
    ['spdx', 'SPDXVersion: "SPDX-2.3" <&>\n'],
    ['spdxjson', '{"b": [1, 1.50, -2e3, 1e21, null], "a": {"é": "<>&\\u2028", "10": 1, "9": 2}}'],
    ['cyclonedx', '{"bomFormat": "CycloneDX"}'],
    ['openvex', '{"statements": []}'],
    ['https://example.com/check/v1', '{"checked": true}'],
    [
      'slsaprovenance1',
      '{"buildDefinition":{"buildType":"t","externalParameters":{}},"runDetails":{"builder":{"id":"b"}}}',
    ],
    ['slsaprovenance', JSON.stringify(PROVENANCE)],
    ['link', JSON.stringify(LINK)],
    ['custom', '{"free": "text"}\n'],
  ])('writes the statement of type %s that cosign writes', async (name, predicate) => {
    writeFileSync(join(registry.directory, 'predicate'), predicate);
    tool('cosign', 'attest', ...OFFLINE, '--type', name, '--predicate', 'predicate', image);
    const { layer, content } = await lastLayer('att');
    const theirs = JSON.parse(content);
    const text = Buffer.from(theirs.payload, 'base64').toString();
    const stamp = JSON.parse(text).predicate.Timestamp ?? '2026-01-01T00:00:00Z';
    const type = predicateType(name);
    const bytes = Buffer.from(predicate);
    const said = statement(subject, type, bytes, 'predicate', new Date(stamp));
    // For types with a Go struct, cosign orders the members by its fields and adds missing ones.
    if (STRUCTURED.has(name)) expect(JSON.parse(said.toString())).toMatchObject(plain(text));
    else expect(said.toString()).toBe(text);
    const ours = envelope(key, said);
    expect(mask(ours.toString())).toBe(mask(content.replace(theirs.payload, base64(said))));
    const { annotations, mediaType, data } = attestationLayer(ours, type.uri);
    expect({ annotations, mediaType }).toEqual({
      annotations: layer.annotations,
      mediaType: layer.mediaType,
    });
    expect(Buffer.from(data, 'base64')).toEqual(ours);
  });

  const STRUCTURED = new Set(['slsaprovenance', 'slsaprovenance1', 'link']);

  /** A predicate without the members that cosign adds. */
  function plain(text: string): object {
    const document = JSON.parse(text);
    delete document.predicate.runDetails?.metadata;
    return document;
  }

  it.each([
    ['slsaprovenance1', '{"buildDefinition":{}}', 'has to have "runDetails"'],
    ['vuln', '{"scanner":{}}', 'has to have "invocation", "metadata"'],
    ['spdxjson', '{"a":1,"a":2}', 'two members "a"'],
    ['spdxjson', '{"a":{"b":1,"\\u0062":2}}', 'two members "b"'],
    ['spdxjson', '{', 'it is not JSON'],
    ['spdxjson', '[]', 'document'],
    ['spdxjson', '{"a":12345678901234567890}', 'readers would take the number 1234567890123456789'],
    ['spdxjson', '{"a":[1e999]}', 'readers would take the number 1e999'],
    ['spdxjson', `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`, 'nested too deeply'],
    ['spdx', Buffer.from([0xff]), 'it is not UTF-8 text'],
    ['custom', Buffer.from([0xff]), 'it is not UTF-8 text'],
  ])('refuses a predicate of type %s: %s', (name, predicate, message) => {
    const bytes = Buffer.from(predicate as string);
    expect(() => statement(subject, predicateType(name), bytes, 'p.json', new Date(0))).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringMatching(/^Cannot use p\.json as the predicate: /),
      }),
    );
    expect(() => statement(subject, predicateType(name), bytes, 'p.json', new Date(0))).toThrow(
      message,
    );
  });

  it('accepts numbers in strings of a predicate that would be too long as numbers', () => {
    const bytes = Buffer.from('{"a":"12345678901234567890 \\" 1e999"}');
    expect(() =>
      statement(subject, predicateType('spdxjson'), bytes, 'p', new Date(0)),
    ).not.toThrow();
  });

  it('accepts predicates with strings of megabytes, but not with more values than are read', () => {
    const made = (text: string) => () =>
      statement(subject, predicateType('spdxjson'), Buffer.from(text), 'p.json', new Date(0));
    expect(made(JSON.stringify({ a: '\\"'.repeat(2_000_000) }))()).toHaveLength(
      8_000_000 + made('{"a":""}')().length,
    );
    expect(made(`{"a":[${'1,'.repeat(MAX_STATEMENT_VALUES)}1]}`)).toThrow('values');
    expect(made(`{"a":[${'1,'.repeat(MAX_STATEMENT_VALUES - 5)}1]}`)).toThrow(
      'nobody could read what becomes of it',
    );
    expect(made('{"__proto__":{"a":1}}')().toString()).toContain('{"__proto__":{"a":1}}');
  });

  it('refuses a predicate type that is neither known nor a URI', () => {
    for (const name of ['', 'nonsense', 'constructor', 'https://', 'a b:c', 'x:\u0001']) {
      expect(() => predicateType(name)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });

  it('refuses to make an envelope that is longer than the store keeps', () => {
    expect(() => envelope(key, Buffer.alloc(13 * 1024 * 1024))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});

/** A document without its signature, which differs each time. */
function mask(text: string): string {
  return text.replace(/"sig":"[^"]+"/, '"sig":""');
}

const base64 = (bytes: Buffer): string => bytes.toString('base64');

it('writes any JSON document with the same meaning and in one spelling', {
  timeout: FUZZ_TIMEOUT,
}, async () => {
  const spelling = (value: unknown): string =>
    createHash('sha256').update(goJson(value)).digest('hex');
  await fuzz(
    fc.property(fc.json(), (text) => {
      const value: unknown = JSON.parse(text);
      const again: unknown = JSON.parse(goJson(value));
      expect(again).toEqual(value);
      expect(spelling(again)).toBe(spelling(value));
    }),
  );
});
