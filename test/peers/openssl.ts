/**
 * The `openssl` program's verdict on a certificate chain, a revocation list and a report.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Certificates as PEM. */
export interface Chain {
  readonly ark: string;
  /** The intermediate over the endorsement key. */
  readonly intermediate: string;
  readonly vek: string;
}

/** An `openssl` that keeps its files in a directory of the caller. */
export class OpenSsl {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether the chain holds at a time. */
  verifiesChain({ ark, intermediate, vek }: Chain, now: Date): boolean {
    const attime = ['-attime', String(Math.floor(now.getTime() / 1000))];
    const roots = ['-CAfile', this.#write('ark.pem', ark)];
    const rest = ['-untrusted', this.#write('intermediate.pem', intermediate)];
    return this.#run(['verify', ...attime, ...roots, ...rest, this.#write('vek.pem', vek)]);
  }

  /** Whether the root signed the revocation list. */
  verifiesCrl(ark: string, crl: string): boolean {
    const roots = ['-CAfile', this.#write('ark.pem', ark)];
    return this.#run(['crl', '-noout', ...roots, '-in', this.#write('crl.pem', crl)], 'verify OK');
  }

  /** Whether the intermediate is good by the revocation list, at a time. */
  isRevoked({ ark, intermediate }: Chain, crl: string, now: Date): boolean {
    const attime = ['-attime', String(Math.floor(now.getTime() / 1000))];
    const roots = ['-CAfile', this.#write('ark.pem', ark)];
    const list = ['-crl_check', '-CRLfile', this.#write('crl.pem', crl)];
    const file = this.#write('intermediate.pem', intermediate);
    return this.#says(['verify', ...attime, ...roots, ...list, file]).includes('revoked');
  }

  /** Whether the key of a certificate made the signature, which is DER. */
  verifiesReport(vek: string, signed: Uint8Array, signature: Uint8Array): boolean {
    const certificate = this.#write('vek.pem', vek);
    const key = this.#says(['x509', '-in', certificate, '-noout', '-pubkey']);
    const sign = ['-signature', this.#write('signature', signature)];
    const file = this.#write('signed', signed);
    return this.#run(['dgst', '-sha384', '-verify', this.#write('key.pem', key), ...sign, file]);
  }

  #run(args: readonly string[], says = ''): boolean {
    const { status, stdout, stderr } = spawnSync('openssl', args, {
      encoding: 'utf8',
      timeout: 30_000,
    });
    return status === 0 && `${stdout}${stderr}`.includes(says);
  }

  #says(args: readonly string[]): string {
    const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8', timeout: 30_000 });
    return `${stdout}${stderr}`;
  }

  #write(name: string, content: string | Uint8Array): string {
    const path = join(this.#directory, name);
    writeFileSync(path, content);
    return path;
  }
}
