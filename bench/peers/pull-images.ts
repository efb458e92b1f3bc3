/**
 * The images of the pull benchmark: the same bytes on every machine and in every run.
 *
 * @module
 */
import { createCipheriv } from 'node:crypto';
import { type BuiltImage, buildImage, type TarFile } from '../../test/images/build-image.ts';

const MiB = 1024 * 1024;

/**
 * Few files, some that compression makes nothing of and some as of a program: about 200 MiB in four
 * layers.
 */
export function largeFiles(): BuiltImage {
  const bytes = new Bytes('large files');
  const layers = Array.from({ length: 4 }, (_, layer) => [
    { path: `opt-${layer}`, type: 'directory' } as const,
    ...Array.from({ length: 6 }, (_, file) => ({
      path: `opt-${layer}/${file}`,
      mode: 0o755,
      data: file % 2 === 0 ? bytes.random(8 * MiB) : bytes.text(9 * MiB),
    })),
  ]);
  return buildImage({ layers });
}

/** 30,000 files in five layers, as of a language's packages. */
export function smallFiles(): BuiltImage {
  const bytes = new Bytes('small files');
  const layers = Array.from({ length: 5 }, (_, layer) => {
    const files: TarFile[] = [{ path: `lib-${layer}`, type: 'directory' }];
    for (let directory = 0; directory < 120; directory += 1) {
      const path = `lib-${layer}/package-${directory}`;
      files.push({ path, type: 'directory' });
      for (let file = 0; file < 50; file += 1) {
        files.push({ path: `${path}/module-${file}.js`, data: bytes.text(bytes.upTo(6000)) });
      }
    }
    return files;
  });
  return buildImage({ layers });
}

/** One layer of so many bytes, half of them random. */
export function oneLayer(size: number): BuiltImage {
  const bytes = new Bytes(`one layer of ${size}`);
  const half = size / 2;
  return buildImage({
    layers: [
      [
        { path: 'random', data: bytes.random(half) },
        { path: 'text', data: bytes.text(half) },
      ],
    ],
  });
}

/** A stream of bytes that depends on nothing but its name. */
class Bytes {
  readonly #cipher;
  readonly #words: readonly string[];

  constructor(name: string) {
    const key = Buffer.alloc(16);
    key.write(name);
    this.#cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
    this.#words = Array.from({ length: 4096 }, () => {
      const word = this.random(9).toString('base64url');
      return `${word.slice(0, 2 + ((word.codePointAt(0) ?? 0) % 9))} `;
    });
  }

  random(size: number): Buffer {
    return this.#cipher.update(Buffer.alloc(size));
  }

  upTo(limit: number): number {
    return this.random(4).readUInt32LE() % limit;
  }

  /** Words of a small vocabulary, which gzip compresses to about a third. */
  text(size: number): Buffer {
    const text = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const choice = this.random(2 * 4096);
      for (let index = 0; index < choice.length && at < size; index += 2) {
        at += text.write(this.#words[choice.readUInt16LE(index) % 4096] ?? '', at, 'latin1');
      }
    }
    return text;
  }
}
