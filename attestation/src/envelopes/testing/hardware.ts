/**
 * Evidence of a real Genoa, for envelopes that have to distinguish certificates.
 *
 * @module
 */
import { readVector, readVectorFile } from '../../testing/read-vectors.ts';
import { decodePem } from '../encodings/pem.ts';

const { evidence, options } = readVector('hardware/genoa-v5');

export const REPORT = evidence.report;
export const GENOA_VCEK = evidence.vek ?? new Uint8Array();
export const NOW = options.now;

function authority(name: string): Uint8Array {
  return decodePem(readVectorFile(`amd/${name}.pem`), 'CERTIFICATE')[0] ?? new Uint8Array();
}

export const GENOA_ASK = authority('genoa_ask');
export const GENOA_ARK = authority('genoa_ark');

/** An HCL blob around the report, in version 1 of its request. */
export function hclBlob(runtimeData: Uint8Array): Uint8Array {
  const blob = Buffer.alloc(32 + REPORT.length + 20 + runtimeData.length);
  blob.write('HCLA', 'latin1');
  blob.writeUInt32LE(1, 4);
  blob.set(REPORT, 32);
  const request = 32 + REPORT.length;
  for (const [index, word] of [20 + runtimeData.length, 1, 2, 1, runtimeData.length].entries()) {
    blob.writeUInt32LE(word, request + 4 * index);
  }
  blob.set(runtimeData, request + 20);
  return Uint8Array.from(blob);
}
