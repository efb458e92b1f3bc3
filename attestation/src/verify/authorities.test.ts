import { describe, expect, it } from 'vitest';
import { decodePem } from '../envelopes/encodings/pem.ts';
import { readVector, readVectorFile } from '../testing/read-vectors.ts';
import { VerificationError } from './trace.ts';
import { verify } from './verify.ts';

const { evidence, options } = readVector('hardware/genoa-v5');

function authority(name: string): Uint8Array {
  const [der] = decodePem(readVectorFile(`amd/${name}.pem`), 'CERTIFICATE');
  if (der === undefined) throw new Error(`no certificate ${name}`);
  return der;
}

function outcome(authorities: readonly Uint8Array[]): VerificationError | undefined {
  try {
    verify({ ...evidence, authorities }, options);
    return undefined;
  } catch (error) {
    if (error instanceof VerificationError) return error;
    throw error;
  }
}

describe('authorities in the evidence', () => {
  it('accepts authorities in the evidence that are pinned, in any order', () => {
    const chain = ['genoa_asvk', 'genoa_ark', 'genoa_ask'].map(authority);
    expect(outcome(chain)).toBeUndefined();
  });

  it('refuses authorities in the evidence that belong to another product', () => {
    const error = outcome([authority('genoa_ask'), authority('milan_ark')]);
    expect(error).toMatchObject({
      code: 'ca-pinned',
      expected: 'ARK-Genoa, SEV-Genoa or SEV-VLEK-Genoa with its pinned key',
    });
    expect(error?.found).toMatch(/CN=ARK-Milan, serial 010000$/);
  });

  it('refuses authorities in the evidence that are no CA certificates', () => {
    expect(outcome([evidence.vek ?? new Uint8Array()])?.code).toBe('ca-encoding');
    expect(outcome([new Uint8Array()])?.code).toBe('ca-encoding');
  });

  it('refuses more authorities in the evidence than a product has', () => {
    const error = outcome(Array.from({ length: 7 }, () => authority('genoa_ark')));
    expect(error).toMatchObject({ code: 'ca-encoding', expected: 'at most 6', found: 'more' });
  });

  it('checks the report before the authorities in the evidence, however many there are', () => {
    const authorities = Array.from({ length: 7 }, () => new Uint8Array(1));
    const report = new Uint8Array(3);
    const refused = (): unknown => verify({ report, authorities }, options);
    expect(refused).toThrow(expect.objectContaining({ code: 'report-length' }));
  });

  it('refuses an authority in the evidence with any byte changed', { timeout: 60_000 }, () => {
    const ask = authority('genoa_ask');
    const codes = new Set<string | undefined>();
    for (let at = 0; at < ask.length; at += 1) {
      const changed = Uint8Array.from(ask);
      changed[at] = (changed[at] ?? 0) ^ 1;
      codes.add(outcome([changed])?.code);
    }
    expect(codes).toEqual(new Set(['ca-encoding', 'ca-pinned', 'ca-signature']));
  });
});
