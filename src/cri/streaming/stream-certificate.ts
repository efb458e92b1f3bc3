/**
 * The certificate of the streaming server, which is read again when its files have changed.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { refused, type StreamAddress } from './stream-address.ts';

type Files = NonNullable<StreamAddress['tls']>;
type Texts = { readonly cert: string; readonly key: string };

export class StreamCertificate {
  readonly texts: Texts;
  readonly #files: Files;
  #version: string;

  /** @throws A3sError `invalid-argument` for files that cannot be read, or do not fit each other */
  constructor(files: Files) {
    this.#files = files;
    try {
      this.#version = versionOf(files);
      this.texts = read(files);
    } catch (error) {
      throw refused(
        `${files.cert} and ${files.key} cannot be used: ${reasonOf(error)}`,
        'Name a certificate chain and its private key, in PEM.',
      );
    }
  }

  /**
   * What the files have now; undefined where nothing has changed since the last time.
   *
   * @throws Error once, where they cannot be used: the present certificate stays
   */
  renewed(): Texts | undefined {
    const version = versionOf(this.#files);
    if (version === this.#version) return undefined;
    this.#version = version;
    return read(this.#files);
  }
}

function versionOf({ cert, key }: Files): string {
  return [cert, key]
    .map((path) => statSync(path, { bigint: true }))
    .map(({ ino, size, mtimeNs }) => [ino, size, mtimeNs].join(':'))
    .join();
}

function read(files: Files): Texts {
  const texts = { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
  // It throws where they do not fit.
  createSecureContext(texts);
  return texts;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
