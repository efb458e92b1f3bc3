/**
 * What the rest of the runtime knows of an image.
 *
 * @module
 */

/** A layer, ready to be a disk. */
export interface BootLayer {
  /** Digest of the uncompressed tar: `sha256:…`. */
  readonly diffId: string;
  /** Absolute path of its EROFS image, mode 0400. */
  readonly path: string;
}

/** The parts of an OCI image configuration that a box is made from. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | undefined;
  /** `80/tcp` and the like. */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
}

export interface Image {
  /** Digest of the configuration, Docker's image id: `sha256:…`. */
  readonly id: string;
  /** Digest of the platform manifest. */
  readonly manifestDigest: string;
  /** Familiar names, such as `busybox:latest`; empty for an untagged image. */
  readonly tags: readonly string[];
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly author: string;
  /** Bytes of configuration and compressed layers. */
  readonly size: number;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

export interface ImageStore {
  /**
   * Reads an archive (docker-archive or OCI layout as tar, plain or compressed) and stores every image in it.
   * Nothing becomes visible unless all of it is right.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    progress?: (line: string) => void,
  ): Promise<readonly Image[]>;
  /** Reads an OCI layout directory on this host. */
  loadDirectory(path: string, progress?: (line: string) => void): Promise<readonly Image[]>;
  /** By tag, by id or a unique prefix of it (4 digits at least), or by digest. Throws `no-such-image`. */
  resolve(reference: string): Promise<Image>;
  list(): Promise<readonly Image[]>;
  /**
   * Removes a tag, and the image with its last one (`force`: all of its tags, when named by id).
   * `inUse` tells which images boxes hold: such an image is only untagged, or refused with `image-in-use`.
   */
  remove(
    reference: string,
    options: { force: boolean; inUse: (imageId: string) => boolean },
  ): Promise<{ untagged: readonly string[]; deleted: readonly string[] }>;
  /** The image's layers as EROFS files, lowest first, made where missing. At most 56. */
  bootLayers(image: Image): Promise<readonly BootLayer[]>;
}
