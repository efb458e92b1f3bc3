/**
 * A registry, as the rest of the runtime sees it (OCI distribution-spec 1.1).
 *
 * @module
 */
import type { Digest } from '../oci/digest.ts';

/** The credentials that a client sends with a request, in Docker's `X-Registry-Auth`. */
export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A refresh token of the token server. */
  readonly identityToken?: string | undefined;
  /** A bearer token as it is. */
  readonly registryToken?: string | undefined;
}

export interface BlobDescriptor {
  readonly digest: Digest;
  readonly size: number;
}

export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** The exact bytes that the digest covers. */
  readonly bytes: Buffer;
}

export interface Referrer extends BlobDescriptor {
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * One repository, with the rights of one user. Every method throws `registry-…` errors; see
 * `errors.ts`.
 */
export interface Repository {
  /** Canonical: `registry.example:5000/team/app`. */
  readonly name: string;
  /**
   * By tag or digest; undefined where there is none. A manifest that is requested by digest is
   * verified against it.
   */
  manifest(reference: string): Promise<RemoteManifest | undefined>;
  /** Digest, type and size without the content; undefined where there is none. */
  describe(reference: string): Promise<(BlobDescriptor & { mediaType: string }) | undefined>;
  /**
   * The blob from its first byte. The download resumes where the connection is cut, and is verified
   * before it ends.
   */
  blob(descriptor: BlobDescriptor): AsyncIterable<Uint8Array>;
  hasBlob(digest: Digest): Promise<boolean>;
  /**
   * The manifests that name `subject` as their subject, by the API of OCI 1.1, or by the tag
   * `sha256-…` where there is no API. With `artifactType`, only those of that type.
   */
  referrers(subject: Digest, artifactType?: string): Promise<readonly Referrer[]>;
  putManifest(reference: string, mediaType: string, bytes: Buffer): Promise<Digest>;
  /**
   * Uploads unless it is there. `open` gives the bytes from an offset; `mountFrom` are repositories
   * of the same registry.
   */
  putBlob(
    descriptor: BlobDescriptor,
    open: (offset: number) => AsyncIterable<Uint8Array>,
    options?: {
      readonly mountFrom?: readonly string[];
      readonly onProgress?: (sent: number) => void;
      /** Canonical name of the repository that it was mounted from. */
      readonly onMounted?: (repository: string) => void;
    },
  ): Promise<'there' | 'mounted' | 'uploaded'>;
}

export interface RepositoryOptions {
  readonly credentials?: Credentials | undefined;
  readonly access: 'pull' | 'push';
  /**
   * Whether signatures that a mirror does not have are taken as missing while the registry itself
   * cannot be reached; otherwise looking for them fails then.
   */
  readonly mirrorMayDeny?: boolean;
  /**
   * Whether somebody else than the owner chose the name: a build. Registries on this host and its
   * link are then refused, unless `registries.yaml` has them.
   */
  readonly namedByOthers?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Registry {
  /** @param repository canonical name of a repository, without tag and digest */
  repository(repository: string, options: RepositoryOptions): Repository;
  /**
   * Whether a registry takes these credentials; gives a refresh token where the registry has one.
   */
  login(
    domain: string,
    credentials: Credentials,
    signal?: AbortSignal,
  ): Promise<{ readonly identityToken: string | undefined }>;
  close(): Promise<void>;
}
