import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { transcript } from '../../../src/cli/testing/fake-context.ts';
import type { ImageInspect } from '../../../src/docker-api/images/image.ts';
import type { Index, Manifest } from '../../../src/oci/manifest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { openDownloads } from '../../../src/registry/downloads.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import { openTrust } from '../../../src/server/home/open-trust.ts';
import { CosignPublisher, PASSWORD } from '../../peers/cosign-publisher.ts';
import { BASE, BuildHome, type Ran } from './home.ts';

let publisher: CosignPublisher;
let build: BuildHome;
let files: Server;
/** The registry by a name, since programs reach addresses of this host without a proxy. */
let registry: string;
let digests: Readonly<Record<'signed' | 'unsigned', string>>;

beforeAll(async () => {
  publisher = await CosignPublisher.start();
  const [signed, unsigned] = [
    await publisher.publish('signed:1'),
    await publisher.publish('unsigned:1'),
  ];
  digests = { signed, unsigned };
  await publisher.sign('signed:1', 'cosign');
  const port = publisher.registry.host.split(':')[1];
  registry = `base.test:${port}/team`;
  files = createServer((_, response) => response.end('downloaded'));
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', () => resolve()));
  build = await BuildHome.start((made) => {
    const { home } = made;
    const settings = join(made.directory, 'registries.yaml');
    writeFileSync(settings, `registries: { "base.test:${port}": { insecure: true } }\n`);
    const options = {
      ...{ certsDirectories: [], registriesFiles: [settings] },
      lookup: ((_name, _options, found) =>
        found(null, [{ address: '127.0.0.1', family: 4 }])) satisfies LookupFunction,
    };
    home.registry = openRegistry(options);
    home.realTrust = openTrust(home.config.home);
    mkdirSync(home.config.home, { recursive: true, mode: 0o700 });
    home.downloads = openDownloads(options);
  });
});
afterAll(async () => {
  await build?.remove();
  await publisher?.stop();
  files?.close();
});

/** Takes away from the policy file what it said before. */
function policy(rules: string): void {
  build.renewAfterClassic();
  change(rules);
}

function change(rules: string): void {
  const { home } = build.home.config;
  writeFileSync(
    join(home, 'cosign.pub'),
    readFileSync(join(publisher.registry.directory, 'cosign.pub')),
  );
  writeFileSync(join(home, 'image-policy.yaml'), `images: [${rules}]\n`);
}

const SIGNED = '{ pattern: "**", require: [{ keys: [cosign.pub], transparencyLog: none }] }';
const ANY = '{ pattern: "**", allowUnsigned: true }';

function succeeded(ran: Ran): void {
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ status: 0 });
}

/** The client says the reason, in one line. */
function refused(ran: Ran, reason: RegExp): void {
  expect(ran.status, `${ran.stdout}${ran.stderr}`).not.toBe(0);
  expect(`${ran.stdout}${ran.stderr}`).toMatch(reason);
}

const REFUSED = /the image policy refuses it: rule 1 .*no signature by cosign\.pub/;
const BUILDERS = ['1', '0'];

const from = (dockerfile: string, more: readonly string[] = [], DOCKER_BUILDKIT = '1') =>
  build.docker(['build', '-t', 'result:1', ...more, build.context(dockerfile)], {
    env: { DOCKER_BUILDKIT },
  });

it('begins builds with signed images alone, where the policy demands signatures', async () => {
  policy(SIGNED);
  for (const builder of BUILDERS) {
    succeeded(await from(`FROM ${registry}/signed:1\nENV A=b\n`, [], builder));
    refused(await from(`FROM ${registry}/unsigned:1\nENV A=b\n`, [], builder), REFUSED);
  }
});

it('decides on an image that is named by its digest', async () => {
  succeeded(await from(`FROM ${registry}/signed@${digests.signed}\nENV A=c\n`));
  refused(await from(`FROM ${registry}/unsigned@${digests.unsigned}\nENV A=c\n`), REFUSED);
});

it.each([
  ['COPY --from', (image: string) => `FROM scratch\nCOPY --from=${image} /name /name\n`],
  [
    'RUN --mount',
    (image: string) => `${BASE}RUN --mount=from=${image},target=/m read x < /m/name || true\n`,
  ],
  ['# syntax=', (image: string) => `# syntax=${image}\n${BASE}`],
])('decides on the image of %s', async (what, dockerfile) => {
  const accepted = await from(dockerfile(`${registry}/signed:1`));
  // A signed image without a frontend is loaded, and is none.
  if (what === '# syntax=') expect(accepted.stderr).not.toMatch(/image policy/);
  else succeeded(accepted);
  refused(await from(dockerfile(`${registry}/unsigned:1`)), REFUSED);
});

it('decides on the images of named contexts, and takes none from the files of the client', async () => {
  const use = 'FROM base\nENV A=b\n';
  refused(
    await from(use, ['--build-context', `base=docker-image://${registry}/unsigned:1`]),
    REFUSED,
  );
  const layout = join(build.directory, 'layout');
  const target = `oci:${layout}:1`;
  await publisher.tool('skopeo', [
    'copy',
    '--src-tls-verify=false',
    `docker://${publisher.place('unsigned:1')}`,
    target,
  ]);
  refused(
    await from(use, ['--build-context', `base=oci-layout://${layout}:1`]),
    /Cannot build from oci-layout:\/\/: the image policy demands signatures/,
  );
});

it('records what was decided on each image, and names the images and the policy in the provenance', async () => {
  // The same policy, but for one image.
  const other = `{ pattern: "${registry}/unsigned", allowUnsigned: true }`;
  policy(`${other}, ${SIGNED}`);
  const name = `${registry}/proved:1`;
  const words = ['buildx', 'build', '--push', '--provenance=mode=max', '-t', name];
  const dockerfile = `FROM ${registry}/signed:1\nCOPY --from=${registry}/unsigned:1 /name /copied\n`;
  succeeded(await build.docker([...words, build.context(dockerfile)]));
  const { body } = await build.home.call('GET', `/images/${encodeURIComponent(name)}/json`);
  const [{ Bases = [] } = {}] = (body as ImageInspect).Origins;
  const { digest: standing } = await build.home.runtime.trust.standing();
  const byPolicy = { Policy: standing, Reason: expect.stringContaining('rule ') };
  expect(Bases.toSorted((one, two) => one.Name.localeCompare(two.Name))).toEqual([
    { Name: `${registry}/signed:1`, Manifest: digests.signed, Verdict: 'signed', ...byPolicy },
    {
      ...{ Name: `${registry}/unsigned:1`, Manifest: digests.unsigned, Verdict: 'unsigned' },
      ...byPolicy,
    },
  ]);
  const { predicate } = await provenanceOf('proved', '1');
  const materials = predicate.materials.map(({ digest }) => `sha256:${digest.sha256}`);
  expect(materials.toSorted()).toEqual(Object.values(digests).toSorted());
  expect(predicate.invocation.parameters.args).toMatchObject({ 'image-policy': standing });
});

/** What BuildKit says of it, in the index that was pushed. */
async function provenanceOf(repository: string, tag: string): Promise<Provenance> {
  const place = `http://${publisher.registry.host}/v2/team/${repository}`;
  const read = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${place}/${path}`, {
      headers: { accept: `${OCI_INDEX}, ${OCI_MANIFEST}` },
    });
    expect(answer.status, path).toBe(200);
    return await answer.json();
  };
  const { manifests } = (await read(`manifests/${tag}`)) as Index;
  const attached = manifests.find(
    ({ annotations }) => annotations?.[KIND] === 'attestation-manifest',
  );
  const { layers } = (await read(`manifests/${attached?.digest}`)) as Manifest;
  return (await read(`blobs/${layers[0]?.digest}`)) as Provenance;
}

const KIND = 'vnd.docker.reference.type';

interface Provenance {
  readonly predicate: {
    readonly materials: readonly { readonly digest: { readonly sha256: string } }[];
    readonly invocation: { readonly parameters: { readonly args: object } };
  };
}

it('takes no name in the builder for an image', async () => {
  policy(ANY);
  succeeded(await from(`FROM ${registry}/unsigned:1\nENV A=b\n`));
  succeeded(await build.docker(['build', '-t', `${registry}/denied:1`, build.context(BASE)]));
  policy(SIGNED);
  for (const builder of BUILDERS) {
    refused(
      await from(`FROM ${registry}/denied:1\nENV A=b\n`, [], builder),
      /image policy refuses it/,
    );
  }
});

it('forgets what an earlier policy let in, also what is named by its digest', async () => {
  policy(ANY);
  const named = `FROM ${registry}/unsigned@${digests.unsigned}\nENV A=d\n`;
  succeeded(await from(named));
  change(SIGNED);
  refused(await from(named), REFUSED);
  policy(ANY);
  // Without BuildKit, a container for the step would hold the image, and a lease does so anyway.
  succeeded(await from(named, ['--rm=false'], '0'));
  expect(await build.inBuilder(['ps', '--all', '--quiet'])).toBe('');
  change(SIGNED);
  for (const builder of BUILDERS)
    refused(await from(named, [], builder), /left images there that cannot be removed/);
  policy(SIGNED);
  for (const builder of BUILDERS) refused(await from(named, [], builder), REFUSED);
});

it('decides on an image of the store by its stored signatures', async () => {
  policy(ANY);
  succeeded(await build.docker(['build', '-t', 'local:1', build.context(BASE)]));
  succeeded(await from('FROM local:1\nENV A=b\n'));
  policy(SIGNED);
  refused(await from('FROM local:1\nENV A=b\n'), REFUSED);
});

it('accepts a result that was signed with its provenance when it was built', async () => {
  policy(ANY);
  const key = join(publisher.registry.directory, 'cosign.key');
  const env = { ...process.env, HOME: build.directory, COSIGN_PASSWORD: PASSWORD };
  const base = `FROM ${registry}/signed:1\nENV A=d\n`;
  const words = ['build', '--quiet', '--sign', key, '--tag', 'own:1', build.context(base)];
  const ran = await transcript(build.home.config.socket, words, { env: variables(env) });
  expect(ran, ran.stderr).toMatchObject({ status: 0 });
  expect(ran.stderr).toMatch(/^Signed own@sha256:[0-9a-f]{64}$/m);
  succeeded(await build.docker(['build', '-t', 'unsigned:1', build.context(base)]));
  const keys = 'keys: [cosign.pub], transparencyLog: none';
  const decided = `d.digest.sha256 == "${digests.signed.slice('sha256:'.length)}" && d.annotations.verdict == "unsigned"`;
  const conditions = `['predicate.buildDefinition.resolvedDependencies.exists(d, ${decided})']`;
  const attestation = `attestation: { predicateType: "${SLSA}", conditions: ${conditions} }`;
  policy(`{ pattern: "**", require: [{ ${keys} }, { ${keys}, ${attestation} }] }`);
  succeeded(await from('FROM own:1\nENV A=e\n'));
  refused(await from('FROM unsigned:1\nENV A=e\n'), REFUSED);
  policy(
    `{ pattern: "**", require: [{ ${keys}, ${attestation.replace('== "unsigned', '== "signed')} }] }`,
  );
  refused(await from('FROM own:1\nENV A=e\n'), /the image policy refuses it: rule 1 /);
});

const SLSA = 'https://slsa.dev/provenance/v1';

/** Those that are set. */
function variables(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

it('asks the registry with --pull, though the image is here', async () => {
  policy(ANY);
  succeeded(await build.docker(['build', '-t', `${registry}/signed:1`, build.context(BASE)]));
  const dockerfile = `FROM ${registry}/signed:1\nCOPY --from=${registry}/signed:1 /made /copied\n`;
  for (const builder of BUILDERS) {
    succeeded(await from(dockerfile, [], builder));
    refused(await from(dockerfile, ['--pull'], builder), /made|not found/);
  }
});

it('passes downloads on where no image has to be signed, but none of this host', async () => {
  policy(ANY);
  const { port } = files.address() as AddressInfo;
  const add = `FROM scratch\nADD http://files.test:${port}/file /file\n`;
  refused(await from(add), /127\.0\.0\.1 of this host/);
  policy(SIGNED);
  refused(await from(add), /the image policy demands signatures, and a file of another host has/);
});

it('cannot reach registries that Go asks without a proxy', async () => {
  policy(ANY);
  const port = publisher.registry.host.split(':')[1];
  refused(await from(`FROM localhost:${port}/team/unsigned:1\n`), /connection refused/);
});

it('says that an image is not there in the words of a registry', async () => {
  policy(ANY);
  refused(await from(`FROM ${registry}/nothing:1\n`), /not found/);
});
