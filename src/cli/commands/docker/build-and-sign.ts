/**
 * A build whose result is signed: its names, and what is said of the images that it was made of.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ImageInspect } from '../../../docker-api/images/image.ts';
import { A3sError } from '../../../errors.ts';
import { type Client, segment } from '../../client/client.ts';
import { objectOf, stringOf } from '../../client/json.ts';
import type { Context } from '../../context.ts';
import { attach, imageToSign } from '../../signing/image-to-sign.ts';
import { type SigningKey, signingKeyAt } from '../../signing/signing-key.ts';
import { withSigning } from '../../signing/signing-library.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { signalStatus } from '../../terminal/signals.ts';
import { buildProvenance } from './build-provenance.ts';
import { engineEnvironment } from './engine-environment.ts';
import { BUILDX, findPlugin } from './find-plugin.ts';

const METADATA = '--metadata-file';

interface Surroundings {
  readonly context: Context;
  /** Variables of the client. */
  readonly more: Readonly<Record<string, string>>;
  /** Of the builder; undefined for the server's own. */
  readonly socket: string | undefined;
}

/**
 * @returns the status of the client where that is another than 0: then nothing is signed
 * @throws A3sError `key-invalid` before anything is built; `invalid-argument` for a result that has
 *   no name or is not the image of one platform; `conflict` where the name means another image by
 *   now
 */
export async function buildAndSign(
  place: string,
  args: readonly string[],
  { context, more, socket }: Surroundings,
): Promise<number> {
  const key = await signingKeyAt(context, place, '--sign');
  const program = findPlugin(BUILDX, context.env);
  const client = await context.connect();
  const server = (await context.config()).socket;
  const scratch = await mkdtemp(join(tmpdir(), 'a3s-build-'));
  try {
    return await interruptible(context, async (signal) => {
      const given = metadataFile(args);
      const file = given === undefined ? join(scratch, 'metadata') : resolve(context.cwd, given);
      const words = given === undefined ? [METADATA, file, ...args] : args;
      const env = { ...engineEnvironment(context.env, socket ?? server), ...more };
      const options = { cwd: context.cwd, env, stdio: 'inherit', signal } as const;
      const ended = await once(spawn(program, ['build', ...words], options), 'close');
      const [code, killer] = ended as [number, null] | [null, NodeJS.Signals];
      if (killer !== null) return signalStatus(killer);
      if (code !== 0) return code;
      const metadata = objectOf(JSON.parse(await readFile(file, 'utf8')));
      const names = stringOf(metadata['image.name'])
        .split(',')
        .filter((name) => name !== '');
      if (names.length === 0) throw nameless();
      const id = stringOf(metadata['containerimage.config.digest']);
      if (id === '') throw severalPlatforms();
      for (const name of names) await sign(name, { context, client, key, id, signal });
      return 0;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Signing {
  readonly context: Context;
  readonly client: Client;
  readonly key: SigningKey;
  /** Of the image that was built. */
  readonly id: string;
  readonly signal: AbortSignal;
}

async function sign(name: string, { context, client, key, id, signal }: Signing): Promise<void> {
  const shown = await client.json({ method: 'GET', path: `/images/${segment(name)}/json`, signal });
  const inspected = shown as ImageInspect;
  if (inspected.Id !== id) throw changed(name);
  const image = await imageToSign(context, client, name, false);
  if (!hasManifest(inspected, image.digest)) throw changed(name);
  const predicate = Buffer.from(JSON.stringify(buildProvenance(inspected)));
  const layers = await withSigning((library) => {
    const subject = { name: library.cosignRepository(image.repository), digest: image.digest };
    const payload = library.imagePayload(subject, new Map());
    const type = library.predicateType('slsaprovenance1');
    const said = library.statement(subject, type, predicate, 'the provenance', new Date());
    return {
      signature: library.signatureLayer(payload, key.sign(payload)),
      attestation: library.attestationLayer(library.envelope(key, said), type.uri),
    };
  });
  for (const kind of ['signature', 'attestation'] as const) {
    await attach(client, image, { kind, layer: layers[kind] }, false, signal);
  }
  context.stderr.write(`Signed ${image.shown}\n`);
}

/**
 * Whether the manifest that the name means is one of this image: it may mean another one by now.
 */
function hasManifest({ Descriptor, RepoDigests }: ImageInspect, digest: string): boolean {
  return Descriptor.digest === digest || RepoDigests.some((each) => each.endsWith(`@${digest}`));
}

/** The last one counts, as with the client. */
function metadataFile(args: readonly string[]): string | undefined {
  const found = args.flatMap((each, at) => {
    if (each === METADATA) return args[at + 1] ?? [];
    return each.startsWith(`${METADATA}=`) ? each.slice(METADATA.length + 1) : [];
  });
  return found.at(-1);
}

function nameless(): A3sError {
  return new A3sError('invalid-argument', 'Cannot sign the result of the build: it has no name', {
    remedy: 'Name it: --tag NAME.',
  });
}

function changed(name: string): A3sError {
  return new A3sError('conflict', `Cannot sign ${name}: it means another image by now`, {
    remedy: 'Build again.',
  });
}

/** The client names a configuration for a result of one platform alone. */
function severalPlatforms(): A3sError {
  return new A3sError(
    'invalid-argument',
    'Cannot sign the result of the build: it is not the image of one platform',
    { remedy: 'Build each platform by itself: --platform OS/ARCH.' },
  );
}
