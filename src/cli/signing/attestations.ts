/**
 * The attestations of an image in the store.
 *
 * @module
 */
import type { AttachmentShown } from '../../docker-api/a3s/attachment.ts';
import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import { objectsOf, stringOf } from '../client/json.ts';
import { withSigning } from './signing-library.ts';

type Signing = typeof import('#signing');
type PublicKey = ReturnType<Signing['readPublicKey']>;

export interface Attestation {
  readonly digest: string;
  readonly size: number;
  readonly predicateType: string;
  /** The subject of the attestation: the image's manifest, or an index that lists it. */
  readonly subject: string;
  /** Whether the attestation names this subject. */
  readonly isAboutIt: boolean;
  /** Whether the given key signed it; undefined where none was given. */
  readonly signed: boolean | undefined;
  readonly statement: Buffer;
}

/** @param complain called for each one that cannot be read */
export async function attestationsOf(
  client: Client,
  image: string,
  key: PublicKey | undefined,
  complain: (message: string) => void,
): Promise<readonly Attestation[]> {
  const path = `/a3s/v1/images/${segment(image)}/attachments`;
  const found: Attestation[] = [];
  for (const artifact of objectsOf<AttachmentShown>(await client.json({ method: 'GET', path }))) {
    const [digest, subject] = [stringOf(artifact.digest), stringOf(artifact.subject)];
    const manifest = Buffer.from(stringOf(artifact.manifest), 'base64');
    const name = `artifact ${digest}`;
    const layers = await readable(
      ({ attestationLayers }) => attestationLayers(manifest, name),
      complain,
    );
    for (const layer of layers ?? []) {
      const content = await contentOf(client, path, digest, layer.digest);
      const read = await readable(
        ({ readAttestation }) => readAttestation(layer, content, key),
        complain,
      );
      if (read === undefined) continue;
      const { subjects, ...rest } = read;
      const isAboutIt = subjects.includes(subject);
      found.push({ ...rest, digest: layer.digest, size: layer.size, subject, isAboutIt });
    }
  }
  return found;
}

/** Fetched one by one: all of them together may be more than one answer holds. */
async function contentOf(
  client: Client,
  path: string,
  digest: string,
  blob: string,
): Promise<Buffer> {
  const query = { content: true, digest, blob };
  const artifacts = objectsOf<AttachmentShown>(await client.json({ method: 'GET', path, query }));
  const blobs = artifacts.flatMap(({ blobs }) => objectsOf(blobs));
  const found = blobs.find((each) => each.digest === blob);
  return Buffer.from(stringOf(found?.data), 'base64');
}

async function readable<T>(
  read: (library: Signing) => T,
  complain: (message: string) => void,
): Promise<T | undefined> {
  try {
    return await withSigning(read);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    complain(error.message);
    return undefined;
  }
}
