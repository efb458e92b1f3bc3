/**
 * The evidence in `test/vectors`, for tests.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Evidence } from '../evidence.ts';
import type { VerifyOptions } from '../verify/options.ts';

const VECTORS = new URL('../../../test/vectors/', import.meta.url);

/** The folders of evidence; `reports` holds reports alone. */
export const AREAS = [
  'hardware',
  'certificates',
  'extensions',
  'authorities',
  'revocation',
  'binding',
  'appraisal',
] as const;

/** A report, and what the parser must say to it. */
export interface ReportVector {
  readonly name: string;
  readonly report: Uint8Array;
  /** `accepted`, or the code of the first check that fails. */
  readonly expected: string;
}

/** A file of evidence, and what a verifier must say to it. */
export interface Vector {
  /** Folder and file, such as `hardware/genoa-v5`. */
  readonly name: string;
  readonly evidence: Evidence;
  readonly options: VerifyOptions;
  /** As a policy document has it. */
  readonly policy: unknown;
  /** REPORT_DATA that the relying party expects, in hexadecimal. */
  readonly reportData: string | undefined;
  /** Digest of the launch spec that REPORT_DATA is over, where libkrun launched the guest. */
  readonly specDigest: string | undefined;
  readonly expected: {
    /** `accepted`, or the code of the check that fails. */
    readonly verify: string;
    /** `accepted`, or the codes of all checks that fail. */
    readonly appraise?: 'accepted' | readonly string[];
  };
}

interface Document {
  readonly evidence: {
    readonly report: string;
    readonly vek?: string;
    readonly authorities?: readonly string[];
  };
  readonly crl?: string;
  readonly crlObtainedAt?: string;
  readonly now: string;
  readonly policy?: unknown;
  readonly reportData?: string;
  readonly specDigest?: string;
  readonly expected: Vector['expected'];
}

/** Every vector of one area, by name. */
export function readVectors(area: (typeof AREAS)[number]): readonly Vector[] {
  return documentsIn<Document>(area).map(([name, document]) => vectorOf(name, document));
}

/** Every vector of `reports`. */
export function readReportVectors(): readonly ReportVector[] {
  return documentsIn<{ report: string; expected: string }>('reports').map(
    ([name, { report, expected }]) => ({ name, report: bytes(report), expected }),
  );
}

function documentsIn<T>(folder: string): readonly (readonly [name: string, document: T])[] {
  const directory = fileURLToPath(new URL(`${folder}/`, VECTORS));
  const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
  if (files.length === 0) throw new Error(`no vectors in ${directory}`);
  return files.sort().map((file) => {
    const document = JSON.parse(readFileSync(`${directory}/${file}`, 'utf8')) as T;
    return [`${folder}/${basename(file, '.json')}`, document];
  });
}

/** One vector, such as `hardware/genoa-v5`. */
export function readVector(name: string): Vector {
  const path = fileURLToPath(new URL(`${name}.json`, VECTORS));
  return vectorOf(name, JSON.parse(readFileSync(path, 'utf8')) as Document);
}

/** The text of a file of `test/vectors`. */
export function readVectorFile(name: string): string {
  return readFileSync(fileURLToPath(new URL(name, VECTORS)), 'utf8');
}

function vectorOf(name: string, document: Document): Vector {
  const { report, vek, authorities } = document.evidence;
  return {
    name,
    evidence: {
      report: bytes(report),
      ...(vek === undefined ? {} : { vek: bytes(vek) }),
      ...(authorities === undefined ? {} : { authorities: authorities.map(bytes) }),
    },
    options: {
      now: new Date(document.now),
      ...(document.crl === undefined ? {} : { crl: bytes(document.crl) }),
      ...(document.crlObtainedAt === undefined
        ? {}
        : { crlObtainedAt: new Date(document.crlObtainedAt) }),
    },
    policy: document.policy,
    reportData: document.reportData,
    specDigest: document.specDigest,
    expected: document.expected,
  };
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}
