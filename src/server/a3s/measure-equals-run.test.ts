import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOST_PERMISSIONS, parseLaunchSpec } from '@a3s-box/policies';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ovmfImage } from '../../cli/testing/ovmf-image.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
const files = mkdtempSync(join(tmpdir(), 'a3s-measure-'));

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  const paths = { firmwarePath: 'OVMF.fd', kernelPath: 'bzImage', initrdPath: 'initrd' };
  const places = Object.entries(paths).map(([key, name]) => [key, join(files, name)] as const);
  for (const [key, path] of places) {
    writeFileSync(path, key === 'firmwarePath' ? ovmfImage() : key);
  }
  home.boot = {
    ...home.boot,
    confidential: { ...confidential, ...Object.fromEntries(places) },
  };
  await home.start();
  await home.call('POST', '/networks/create', { Name: 'db' });
});
afterAll(async () => {
  await home.remove();
  rmSync(files, { recursive: true });
});

const KEYS = ['ed25519', 'P-256', 'P-384'].map((kind) => {
  const pair =
    kind === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: kind });
  return String(pair.publicKey.export({ type: 'spki', format: 'pem' }));
});

/** Mostly valid values, so that most requests are accepted. */
const mostly = <T>(usual: fc.Arbitrary<T>, ...rare: readonly T[]) =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...rare) });
const word = mostly(
  fc.oneof(
    fc.stringMatching(/^[ -~]{1,12}$/),
    fc.constantFrom(
      '__proto__',
      'constructor',
      '\u2028',
      '"',
      '\\',
      '\u00e9',
      '\ufb33',
      '\u{1f600}',
    ),
  ),
  ...['', '\0', '\ud800', 'x'.repeat(70_000)],
);
const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,5}$/);
const any = (values: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(values, { requiredKeys: [] });

const secrets = fc.uniqueArray(
  fc
    .record({
      Name: name,
      InjectorKeys: fc.array(fc.constantFrom(...KEYS), { maxLength: 3 }),
      Env: fc.option(mostly(fc.stringMatching(/^[A-Z]{4,8}$/), 'PATH', 'A', '1')),
    })
    .map((each) => ({ ...each, AllowAnyInjector: each.InjectorKeys.length === 0 })),
  { maxLength: 3, selector: ({ Name }) => Name },
);

/** Fields that go into the launch spec. */
const specified = any({
  Cmd: fc.array(word, { maxLength: 4 }),
  Entrypoint: fc.array(word, { maxLength: 2 }),
  Env: fc.array(
    fc.tuple(fc.constantFrom('A', 'B', 'PATH', '__proto__'), word).map((pair) => pair.join('=')),
    { maxLength: 4 },
  ),
  User: mostly(fc.constantFrom('', 'www', '0:0', '1000'), 'a b'),
  WorkingDir: mostly(fc.constantFrom('', '/', 'srv', '/a/../b'), '/\ud800'),
  Hostname: mostly(fc.constantFrom('', 'h', 'A.b-c'), '-x'),
  Tty: fc.boolean(),
  OpenStdin: fc.boolean(),
  Egress: mostly<object | undefined>(
    fc.constantFrom(undefined, { Rules: ['allow:*.example.org', 'deny:203.0.113.0/24:udp'] }),
    { Rules: ['allow'] },
  ),
  StopSignal: mostly(fc.constantFrom('', 'SIGINT', '9', 'term', 'RTMIN+3', 'SIGRTMAX-1'), 'NOPE'),
});
const host = any({
  Memory: mostly(fc.constantFrom(0, 6 * 2 ** 20, 64 * 2 ** 20 + 1), 1),
  NanoCpus: mostly(fc.constantFrom(0, 10_000_000, 500_000_001, 1_000_000_000), 1),
  NetworkMode: mostly(fc.constantFrom('default', 'none', 'db'), 'host'),
  Dns: fc.array(fc.constantFrom('9.9.9.9', '1.1.1.1'), { maxLength: 3 }),
  DnsOptions: fc.array(mostly(fc.constantFrom('rotate', 'ndots:2'), 'a b'), { maxLength: 2 }),
  DnsSearch: fc.array(mostly(fc.constantFrom('.', 'example.com'), '/'), { maxLength: 2 }),
  ExtraHosts: fc.array(
    mostly(fc.constantFrom('b:10.1.2.3', 'a:FD00::01', 'b:10.0.0.1'), 'a:host-gateway'),
    { maxLength: 4 },
  ),
});
const confidential = any({
  HostMay: fc.array(fc.constantFrom(...HOST_PERMISSIONS), { maxLength: 8 }),
  Secrets: secrets,
  Deployment: mostly(name, '', 'A'),
  Changes: fc.constantFrom('memory', 'encrypted-disk'),
  SecretsDeadline: mostly(fc.integer({ min: 1, max: 86_400 }), 0, 86_401),
});
/** Fields that only the host uses. */
const unspecified = any({
  Labels: fc.dictionary(fc.constantFrom('a', '__proto__', 'b'), word),
  StopTimeout: fc.integer({ min: 0, max: 9 }),
  AttachStdout: fc.boolean(),
  StdinOnce: fc.boolean(),
});
const body = fc
  .tuple(fc.constantFrom('snp', 'simulate'), specified, host, confidential, unspecified)
  .map(([Tee, box, HostConfig, asked, rest]) => ({
    ...{ Image: 'busybox', ...rest, ...box },
    ...{ HostConfig, Confidential: { Tee, ...asked } },
  }));

/** @returns whether the request was accepted */
async function compare(request: object): Promise<boolean> {
  const made = await home.call('POST', '/containers/create', request);
  const measured = await home.call('POST', '/a3s/v1/measure', request);
  if (made.status !== 201) {
    const { code, message } = made.body as { code: string; message: string };
    // The measurement does not depend on the resources of this host.
    if (/^Range of CPUs|^Minimum memory/.test(message)) return false;
    expect(measured).toMatchObject({ status: made.status, body: { code } });
    return false;
  }
  expect(measured).toMatchObject({ status: 200 });
  const { Id: id } = made.body as { Id: string };
  await compareLaunch(id, measured.body as Readonly<Record<string, string>>);
  await home.call('DELETE', `/containers/${id}?force=1`);
  return true;
}

async function compareLaunch(id: string, measured: Readonly<Record<string, string>>) {
  const { definition } = home.runtime.store.expect(id);
  expect(measured['spec']).toBe(definition.confidential?.launchSpec);
  expect(measured['hostData']).toBe(definition.confidential?.specDigest);
  parseLaunchSpec(Buffer.from(measured['spec'] ?? ''));
  parseAttestationPolicy(measured['policy']);
  // Only the guest detects, for instance, a user that the image lacks.
  const { status } = await home.call('POST', `/containers/${id}/start`);
  if (status !== 204) return;
  const { cpus, boot, confidential } = home.host.vm(id)?.spec ?? {};
  const append = boot?.commandLine.join(' ');
  expect(measured['launch']).toMatchObject({ vcpus: cpus, append });
  const hostData = Buffer.from(confidential?.hostData ?? []).toString('hex');
  expect(hostData).toBe(measured['hostData']);
}

it(
  'measures exactly what a box of the same request starts with, and refuses the same requests',
  async () => {
    expect(await compare({ Image: 'busybox', Confidential: { Tee: 'simulate' } })).toBe(true);
    await fuzz(
      fc.asyncProperty(body, async (request) => {
        await compare(request);
      }),
    );
  },
  FUZZ_TIMEOUT,
);
