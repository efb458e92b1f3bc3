/**
 * An image store that holds one image, for tests of the tiers above it.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { A3sError } from '../../errors.ts';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Image, ImageStore, RemovedImage } from '../../images/image.ts';
import type { Digest } from '../../oci/digest.ts';

export const TEST_IMAGE: Image = {
  id: `sha256:${'1'.repeat(64)}`,
  manifestDigest: `sha256:${'2'.repeat(64)}`,
  repoDigests: [],
  indexDigests: [],
  origins: [],
  tags: ['busybox:latest'],
  architecture: 'amd64',
  os: 'linux',
  created: '2026-01-01T00:00:00Z',
  author: '',
  size: 1000,
  diffIds: [`sha256:${'3'.repeat(64)}`],
  config: {
    entrypoint: [],
    cmd: ['sh'],
    env: ['PATH=/bin', 'FROM_IMAGE=yes'],
    workingDir: '',
    user: '',
    labels: { origin: 'image' },
    stopSignal: undefined,
    exposedPorts: [],
    volumes: [],
  },
};

export class FakeImages implements ImageStore {
  readonly #images: readonly Image[];
  loaded: Buffer | undefined;

  constructor(...images: readonly Image[]) {
    this.#images = images;
  }

  async load(
    archive: AsyncIterable<Uint8Array>,
    progress?: (line: string) => void,
  ): Promise<readonly Image[]> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    this.loaded = Buffer.concat(chunks);
    if (this.loaded.includes('broken')) {
      throw new A3sError('invalid-image', 'Cannot load the image: it is broken');
    }
    progress?.('reading');
    return this.#images;
  }

  async loadDirectory(): Promise<readonly Image[]> {
    return this.#images;
  }

  async resolve(reference: string): Promise<Image> {
    const found = this.#images.find(
      ({ id, manifestDigest, tags }) =>
        [id, manifestDigest].includes(reference) ||
        tags.includes(reference) ||
        tags.includes(`${reference}:latest`),
    );
    if (found === undefined) throw new A3sError('no-such-image', `No such image: ${reference}`);
    return found;
  }

  async list(): Promise<readonly Image[]> {
    return this.#images;
  }

  async remove(
    reference: string,
    options: { force: boolean; inUse: (imageId: string) => boolean },
  ): Promise<RemovedImage> {
    const image = await this.resolve(reference);
    if (options.inUse(image.id)) {
      throw new A3sError('image-in-use', `conflict: unable to remove ${reference}: a box uses it`);
    }
    return { untagged: image.tags, deleted: [image.id], layers: [] };
  }

  async bootLayers(): ReturnType<ImageStore['bootLayers']> {
    return [{ diffId: `sha256:${'3'.repeat(64)}`, path: '/dev/null' }];
  }

  /** There is nothing at a path that says so. */
  async kindOf(_image: Image, path: string): ReturnType<ImageStore['kindOf']> {
    return path.includes('none') ? undefined : 'directory';
  }

  async verityLayers(): ReturnType<ImageStore['verityLayers']> {
    const [layer] = await this.bootLayers();
    return layer === undefined ? [] : [{ ...layer, bytes: 4096, root: '4'.repeat(64) }];
  }

  async ingest(): Promise<Image> {
    return this.resolve(TEST_IMAGE.id);
  }

  async tag(source: string): Promise<Image> {
    return this.resolve(source);
  }

  async attach(_subjects: readonly Digest[], _attachments: readonly Attachment[]): Promise<void> {}

  async attachments(_subjects: readonly Digest[]): Promise<readonly Attachment[]> {
    return [];
  }

  async content<T>(): Promise<T> {
    throw new A3sError('not-implemented', 'Cannot read the content of an image that has none');
  }

  async recordRepoDigest(): Promise<void> {}

  async history(): ReturnType<ImageStore['history']> {
    return [];
  }

  async save(references: readonly string[]): Promise<AsyncIterable<Uint8Array>> {
    await Promise.all(references.map((reference) => this.resolve(reference)));
    return Readable.from([Buffer.from('an archive')]);
  }

  async import(): Promise<Image> {
    return this.resolve(TEST_IMAGE.id);
  }

  async extend(): Promise<Image> {
    return this.resolve(TEST_IMAGE.id);
  }

  async prune(): ReturnType<ImageStore['prune']> {
    return { removed: [], reclaimed: 0 };
  }

  async usage(): ReturnType<ImageStore['usage']> {
    const shares = this.#images.map(({ id, size }) => [id, { size, shared: 0 }] as const);
    return { images: new Map(shares), total: 0 };
  }

  async shares(): ReturnType<ImageStore['shares']> {
    return this.usage();
  }
}
