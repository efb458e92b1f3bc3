/**
 * Builds small images with deterministic bytes: for tests, and for the quickstart, which needs no
 * registry.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type TarFile, writeTar } from './tar-writer.ts';

/** The `config` object of an OCI image configuration. */
export interface ProcessConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
}

export interface ImageSpec {
  /**
   * Full name with a tag, such as `docker.io/library/busybox:latest`; none where it is left out.
   */
  readonly name?: string;
  /** Lowest first: the files of each layer, or its finished tar. */
  readonly layers: readonly (readonly TarFile[] | Buffer)[];
  readonly config?: ProcessConfig;
  readonly compression?: 'gzip' | 'none';
  /** In Go's spelling; this host's where it is left out. */
  readonly architecture?: string;
  /** RFC 3339; the beginning of 1970 where it is left out. */
  readonly created?: string;
  /** The history of the configuration; none where it is left out. */
  readonly history?: readonly {
    readonly created?: string;
    readonly created_by?: string;
    readonly comment?: string;
    readonly empty_layer?: boolean;
  }[];
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export interface BuiltImage {
  readonly name: string | undefined;
  /** Every blob of the image by its digest, manifest and configuration included. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
}

const OCI = 'application/vnd.oci.image';

export function buildImage(spec: ImageSpec): BuiltImage {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const gzip = spec.compression !== 'none';
  const tars = spec.layers.map((layer) => (Buffer.isBuffer(layer) ? layer : writeTar(layer)));
  const layers = tars.map((tar) =>
    add(`${OCI}.layer.v1.tar${gzip ? '+gzip' : ''}`, gzip ? gzipSync(tar) : tar),
  );
  const diffIds = tars.map(sha256);
  const config = add(`${OCI}.config.v1+json`, configBytes(spec, diffIds));
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config,
    layers,
  };
  const descriptor = add(manifest.mediaType, Buffer.from(JSON.stringify(manifest)));
  return { name: spec.name, blobs, manifest: descriptor, config, layers, diffIds };
}

function configBytes(spec: ImageSpec, diffIds: readonly string[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      created: spec.created ?? '1970-01-01T00:00:00Z',
      architecture: spec.architecture ?? hostArchitecture(),
      os: 'linux',
      config: spec.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: spec.history,
    }),
  );
}

/** The files of an OCI layout that holds the images, by their names in it. */
export function ociLayout(images: readonly BuiltImage[]): Map<string, Buffer> {
  const manifests = images.map(({ manifest, name }) =>
    name === undefined
      ? manifest
      : { ...manifest, annotations: { 'org.opencontainers.image.ref.name': name } },
  );
  const files = new Map<string, Buffer>([
    ['oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' }))],
    ['index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))],
  ]);
  for (const image of images) {
    for (const [digest, bytes] of image.blobs) {
      files.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, bytes);
    }
  }
  return files;
}

/** An OCI layout as one tar. */
export function ociArchive(images: readonly BuiltImage[]): Buffer {
  return writeTar([...ociLayout(images)].map(([path, data]) => ({ path, data })));
}

/** An OCI layout as a directory, made where it is missing. */
export function writeOciLayout(directory: string, images: readonly BuiltImage[]): void {
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
  for (const [path, bytes] of ociLayout(images)) writeFileSync(join(directory, path), bytes);
}

/** What `docker save` wrote before it wrote OCI layouts. */
export function dockerArchive(images: readonly BuiltImage[]): Buffer {
  const files = new Map<string, Buffer>();
  const manifest = images.map((image) => {
    const file = (descriptor: Descriptor, extension: string): string => {
      const path = `${descriptor.digest.slice('sha256:'.length)}.${extension}`;
      files.set(path, image.blobs.get(descriptor.digest) ?? Buffer.alloc(0));
      return path;
    };
    return {
      Config: file(image.config, 'json'),
      RepoTags: image.name === undefined ? null : [image.name],
      Layers: image.layers.map((layer) => file(layer, 'tar')),
    };
  });
  files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
  return writeTar([...files].map(([path, data]) => ({ path, data })));
}

/** This host's architecture as Go and OCI spell it. */
export function hostArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
