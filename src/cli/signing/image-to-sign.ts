/**
 * Finds the manifest that is signed where an image is named, and attaches the signature to it.
 *
 * @module
 */
import type { Attached, AttachmentBody, AttachmentLayer } from '../../docker-api/a3s/attachment.ts';
import type { Remote } from '../../docker-api/images/distribution.ts';
import type { ImageInspect } from '../../docker-api/images/image.ts';
import { A3sError } from '../../errors.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import {
  canonicalRepository,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../oci/reference.ts';
import { type Client, segment } from '../client/client.ts';
import { objectOf, stringOf, stringsOf } from '../client/json.ts';
import type { Context } from '../context.ts';
import { registryAuth } from '../credentials/registry-auth.ts';

export interface ImageToSign {
  /** Canonical. */
  readonly repository: string;
  /** `registry.example/app@sha256:…`, as people write it. */
  readonly shown: string;
  readonly digest: Digest;
  /** The name by which the server finds it. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Signed {
  readonly kind: AttachmentBody['kind'];
  readonly layer: AttachmentLayer;
}

interface Stored {
  readonly manifest: string;
  /** The digest by which it was pulled from this repository. */
  readonly pulled: readonly string[];
}

/**
 * The manifest that the registry has under the name: of a multi-arch image its index, as cosign
 * signs it. A local image under that name has to be the same one. Without `upload`, only the local
 * image counts.
 *
 * @throws A3sError `not-in-registry`, `no-such-image`, `conflict` where the registry has something
 * else
 */
export async function imageToSign(
  context: Context,
  client: Client,
  image: string,
  upload: boolean,
): Promise<ImageToSign> {
  const reference = withDefaultTag(parseReference(image));
  const repository = canonicalRepository(reference);
  const stored = await findStored(client, reference, image);
  const headers = upload ? await registryAuth(context, repository) : {};
  const digest =
    upload || stored === undefined
      ? await remoteDigest(client, reference, headers)
      : (reference.digest ?? onlyOne(stored));
  if (stored !== undefined && reference.digest === undefined) checkSame(stored, digest, image);
  if (stored === undefined && reference.digest === undefined) {
    context.stderr.write(
      `WARNING: ${image} is a tag, and the image is not here: what is signed is whatever the\n` +
        '    registry has there now. Name a digest, or pull the image first.\n',
    );
  }
  const shown = `${familiarRepository(reference)}@${digest}`;
  const name = stored === undefined ? shown : image;
  return { repository, shown, digest: checked(digest), name, headers };
}

/** @returns digest of the artifact that has it now */
export async function attach(
  client: Client,
  { name, digest, headers }: ImageToSign,
  { kind, layer }: Signed,
  upload: boolean,
  signal: AbortSignal,
): Promise<string> {
  const path = `/a3s/v1/images/${segment(name)}/attachments`;
  const body: AttachmentBody = { kind, subject: digest, layers: [layer] };
  const call = { method: 'POST', path, query: { upload }, headers, body, signal } as const;
  return stringOf(objectOf<Attached>(await client.json(call)).digest);
}

async function findStored(
  client: Client,
  reference: Reference,
  image: string,
): Promise<Stored | undefined> {
  const path = `/images/${segment(image)}/json`;
  const found = await client.json({ method: 'GET', path }).catch((error: unknown) => {
    if (error instanceof A3sError && error.code === 'no-such-image') return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  const document = objectOf<ImageInspect>(found);
  const repository = canonicalRepository(reference);
  const own = (names: unknown): readonly Reference[] =>
    stringsOf(names)
      .map(parseReference)
      .filter((each) => canonicalRepository(each) === repository);
  const pulled = own(document.RepoDigests).flatMap(({ digest }) => digest ?? []);
  if (pulled.length === 0 && own(document.RepoTags).length === 0) {
    // A signature names a repository, and an id is in none.
    throw new A3sError('invalid-argument', `Cannot sign ${image}: it is an image's id`, {
      remedy: 'Use the image by its name.',
    });
  }
  return { manifest: stringOf(objectOf(document.Descriptor).digest), pulled };
}

async function remoteDigest(
  client: Client,
  reference: Reference,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const path = `/distribution/${segment(familiarName(reference))}/json`;
  const described = objectOf<Remote>(await client.json({ method: 'GET', path, headers }));
  return stringOf(objectOf(described.Descriptor).digest);
}

function onlyOne({ manifest, pulled }: Stored): string {
  const [first, ...others] = pulled;
  return first === undefined || others.length > 0 ? manifest : first;
}

function checkSame({ manifest, pulled }: Stored, digest: string, image: string): void {
  if (digest === manifest || pulled.includes(digest)) return;
  throw new A3sError(
    'conflict',
    `Cannot sign ${image}: here it is ${pulled[0] ?? manifest}, and the registry has ${digest}`,
    { remedy: 'Push or pull it first, or name the one that you mean by its digest.' },
  );
}

function checked(digest: string): Digest {
  if (isDigest(digest)) return digest;
  throw new A3sError('internal', 'The server answered with something that is no digest');
}
