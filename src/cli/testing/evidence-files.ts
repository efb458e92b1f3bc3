/**
 * Vectors of the attestation library as files, in the form in which a user has them.
 *
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const VECTORS = join(import.meta.dirname, '../../../test/vectors');

interface Document {
  readonly evidence: {
    readonly report: string;
    readonly vek?: string;
    readonly authorities?: readonly string[];
  };
  readonly crl?: string;
  readonly crlObtainedAt?: string;
  readonly now: string;
  readonly policy?: object;
  readonly reportData?: string;
  readonly expected: {
    readonly verify: string;
    readonly appraise?: 'accepted' | readonly string[];
  };
}

/** Certificates of the simulated secure processor that made the vectors outside of `hardware`. */
export const SIMULATED_ROOTS = join(VECTORS, 'roots.pem');

/** A file of AMD's public authorities. */
export function amdFile(name: string): Buffer {
  return readFileSync(join(VECTORS, 'amd', name));
}

export function vectorNames(area: string): readonly string[] {
  return readdirSync(join(VECTORS, area))
    .filter((name) => name.endsWith('.json'))
    .map((name) => basename(name, '.json'));
}

/** One vector, laid out in a directory. */
export class EvidenceFiles {
  readonly #directory: string;
  readonly document: Document;

  constructor(directory: string, area: string, name: string) {
    this.#directory = directory;
    this.document = JSON.parse(readFileSync(join(VECTORS, area, `${name}.json`), 'utf8'));
    const { evidence, crl, policy } = this.document;
    this.write('report.bin', this.report);
    if (evidence.vek !== undefined) this.write('vek.der', Buffer.from(evidence.vek, 'base64'));
    if (crl !== undefined) this.write('crl.der', Buffer.from(crl, 'base64'));
    if (policy !== undefined) this.write('policy.json', JSON.stringify(policy));
    if (evidence.authorities !== undefined) this.write('certs.pem', pem(evidence.authorities));
  }

  get report(): Buffer {
    return Buffer.from(this.document.evidence.report, 'base64');
  }

  get vek(): Buffer {
    return Buffer.from(this.document.evidence.vek ?? '', 'base64');
  }

  /** Puts a file beside the others; gives its name. */
  write(name: string, content: string | Uint8Array): string {
    writeFileSync(join(this.#directory, name), content);
    return name;
  }

  /** The flags with which `attest verify` makes the decision that the vector is about. */
  get flags(): readonly string[] {
    const { evidence, crl, policy, now, reportData } = this.document;
    return [
      '--report=report.bin',
      `--at=${now}`,
      ...(evidence.vek === undefined ? [] : ['--vek=vek.der']),
      ...(evidence.authorities === undefined ? [] : ['--certs=certs.pem']),
      ...(crl === undefined ? [] : ['--crl=crl.der']),
      ...(policy === undefined ? [] : ['--policy=policy.json']),
      ...(reportData === undefined ? [] : [`--report-data=${reportData}`]),
    ];
  }
}

/** PEM of one certificate or more, from base64 of their DER. */
export function pem(certificates: readonly string[], label = 'CERTIFICATE'): string {
  return certificates
    .map((text) => {
      const lines = text.match(/.{1,64}/g) ?? [];
      return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
    })
    .join('');
}
