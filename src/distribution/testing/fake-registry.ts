/**
 * A registry in memory, for tests: it returns the content that a test put in, and lies where the
 * test says so.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type BuiltImage, sha256 } from '../../images/testing/build-image.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type {
  Referrer,
  Registry,
  RemoteManifest,
  Repository,
  RepositoryOptions,
} from '../../registry/registry.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CHUNK = 64 * 1024;

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export class FakeRegistry implements Registry {
  readonly manifests = new Map<string, RemoteManifest>();
  readonly blobs = new Map<Digest, Buffer>();
  readonly listed = new Map<Digest, Referrer[]>();
  /** All requests, in order. */
  readonly asked: string[] = [];
  readonly opened: RepositoryOptions[] = [];
  /** What was written; undefined for a registry that is read only. */
  written: string[] | undefined;
  /** Runs before each answer; throws to fail it. */
  before: (what: string) => void | Promise<void> = () => undefined;
  /** Instead of a blob's bytes. */
  stream: ((digest: Digest, bytes: Buffer) => AsyncIterable<Uint8Array>) | undefined;

  repository(name: string, options: RepositoryOptions): Repository {
    this.opened.push(options);
    const ask = async (what: string): Promise<void> => {
      this.asked.push(what);
      await this.before(what);
    };
    return {
      name,
      manifest: async (reference) => {
        await ask(`manifest ${reference}`);
        return this.manifests.get(reference);
      },
      describe: async (reference) => {
        await ask(`describe ${reference}`);
        const found = this.manifests.get(reference);
        return found === undefined ? undefined : { ...found, size: found.bytes.length };
      },
      blob: ({ digest }) => this.#blob(digest, ask),
      hasBlob: async (digest) => this.blobs.has(digest),
      referrers: async (subject) => {
        await ask(`referrers ${subject}`);
        return this.listed.get(subject) ?? [];
      },
      putManifest: async (reference, mediaType, bytes) => {
        await ask(`put manifest ${reference}`);
        this.#write(`${name} manifest ${reference}`);
        return this.addManifest(bytes, mediaType, reference);
      },
      putBlob: async ({ digest }, open) => {
        await ask(`put blob ${digest}`);
        if (this.blobs.has(digest)) return 'there';
        this.#write(`${name} blob ${digest}`);
        const chunks: Uint8Array[] = [];
        for await (const chunk of open(0)) chunks.push(chunk);
        this.addBlob(Buffer.concat(chunks));
        return 'uploaded';
      },
    };
  }

  #write(what: string): void {
    if (this.written === undefined) throw new TypeError('this registry is read only');
    this.written.push(what);
  }

  async login(): Promise<{ identityToken: undefined }> {
    return { identityToken: undefined };
  }

  async close(): Promise<void> {}

  /** Blobs that were asked for. */
  get fetched(): string[] {
    return this.asked.filter((what) => what.startsWith('blob ')).map((what) => what.slice(5));
  }

  /** A tag, for an image's manifest; its blobs come with it. */
  push(tag: string, image: BuiltImage): Digest {
    for (const bytes of image.blobs.values()) this.addBlob(bytes);
    const bytes = image.blobs.get(image.manifest.digest) ?? Buffer.alloc(0);
    return this.addManifest(bytes, image.manifest.mediaType, tag);
  }

  /** An index of images in this registry. */
  pushIndex(
    tag: string,
    entries: readonly { readonly image: BuiltImage; readonly platform?: Platform }[],
  ): Digest {
    for (const { image } of entries) this.push(image.manifest.digest, image);
    const manifests = entries.map(({ image, platform }) => ({ ...image.manifest, platform }));
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
    return this.addManifest(Buffer.from(JSON.stringify(index)), OCI_INDEX, tag);
  }

  /** An artifact at a tag, or one that names its subject. */
  pushArtifact(
    at: { readonly tag: string } | { readonly subject: Digest },
    payloads: readonly Buffer[],
    artifactType = 'application/vnd.dev.cosign.artifact.sig.v1+json',
  ): Digest {
    const config = Buffer.from('{}');
    const describe = (mediaType: string, bytes: Buffer) => ({
      mediaType,
      digest: this.addBlob(bytes),
      size: bytes.length,
    });
    const mediaType = 'application/vnd.dev.cosign.simplesigning.v1+json';
    const isReferrer = 'subject' in at;
    const subject = isReferrer
      ? { mediaType: OCI_MANIFEST, digest: at.subject, size: 1 }
      : undefined;
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      ...(isReferrer ? { artifactType, subject } : {}),
      config: describe('application/vnd.oci.empty.v1+json', config),
      layers: payloads.map((bytes) =>
        describe(isReferrer && !artifactType.includes('cosign') ? artifactType : mediaType, bytes),
      ),
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = this.addManifest(bytes, OCI_MANIFEST, isReferrer ? undefined : at.tag);
    if (isReferrer) this.list(at.subject, digest, artifactType);
    return digest;
  }

  /** Lists a manifest as a referrer of a subject, whether or not it is one. */
  list(subject: Digest, digest: Digest, artifactType: string | undefined): void {
    const size = this.manifests.get(digest)?.bytes.length ?? 0;
    const referrer = { digest, size, mediaType: OCI_MANIFEST, artifactType, annotations: {} };
    this.listed.set(subject, [...(this.listed.get(subject) ?? []), referrer]);
  }

  addManifest(bytes: Buffer, mediaType: string, tag?: string): Digest {
    const digest = digestOf(bytes);
    this.manifests.set(digest, { digest, mediaType, bytes });
    if (tag !== undefined) this.manifests.set(tag, { digest, mediaType, bytes });
    return digest;
  }

  addBlob(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  async *#blob(digest: Digest, ask: (what: string) => Promise<void>): AsyncGenerator<Uint8Array> {
    await ask(`blob ${digest}`);
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) {
      throw new A3sError('not-in-registry', `Cannot fetch blob ${digest}: it is not there`);
    }
    if (this.stream !== undefined) return yield* this.stream(digest, bytes);
    for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
  }
}

export function digestOf(bytes: Buffer): Digest {
  const digest = sha256(bytes);
  if (!isDigest(digest)) throw new TypeError(digest);
  return digest;
}
