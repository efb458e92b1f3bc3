import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { codeOf } from '../testing/code-of.ts';
import { evidenceFromAzureHcl } from './azure-hcl.ts';

const RUNTIME_DATA = new TextEncoder().encode('{"keys":[],"vm-configuration":{}}');

interface Parts {
  readonly magic?: number;
  readonly version?: number;
  readonly dataSize?: number;
  readonly requestVersion?: number;
  readonly reportType?: number;
  readonly hashType?: number;
  readonly runtimeSize?: number;
  readonly capabilities?: readonly number[];
  readonly padding?: Uint8Array;
}

function blob(parts: Parts = {}): Uint8Array {
  const size = parts.runtimeSize ?? RUNTIME_DATA.length;
  const capabilities = parts.capabilities ?? [];
  const header = Buffer.alloc(32);
  header.writeUInt32LE(parts.magic ?? 0x414c_4348, 0);
  header.writeUInt32LE(parts.version ?? 2, 4);
  const request = Buffer.alloc(20);
  request.writeUInt32LE(parts.dataSize ?? 20 + capabilities.length + size, 0);
  request.writeUInt32LE(parts.requestVersion ?? 1, 4);
  request.writeUInt32LE(parts.reportType ?? 2, 8);
  request.writeUInt32LE(parts.hashType ?? 1, 12);
  request.writeUInt32LE(size, 16);
  const padding = parts.padding ?? new Uint8Array(64);
  return Buffer.concat([
    header,
    sampleReport(),
    request,
    Uint8Array.from(capabilities),
    RUNTIME_DATA,
    padding,
  ]);
}

function refuses(bytes: Uint8Array, message: string): void {
  expect(() => evidenceFromAzureHcl(bytes)).toThrow(
    expect.objectContaining({ code: 'hcl-malformed', message: expect.stringContaining(message) }),
  );
}

describe('evidenceFromAzureHcl', () => {
  it('reads the report and the runtime data from an HCL report', () => {
    expect(evidenceFromAzureHcl(blob())).toEqual({
      evidence: { report: sampleReport() },
      runtimeData: RUNTIME_DATA,
      hashAlgorithm: 'sha256',
    });
    expect(blob().subarray(0, 4)).toEqual(Buffer.from('HCLA'));
  });

  it('reads both versions of the HCL header, and runtime data that ends with the blob', () => {
    for (const version of [1, 2]) {
      const { runtimeData } = evidenceFromAzureHcl(blob({ version, padding: new Uint8Array() }));
      expect(runtimeData).toEqual(RUNTIME_DATA);
    }
  });

  it('reads both sizes of an HCL request of version 2', () => {
    const bare = evidenceFromAzureHcl(blob({ requestVersion: 2 }));
    expect(bare.runtimeData).toEqual(RUNTIME_DATA);
    const capabilities = [15, 0, 0, 0];
    const capable = evidenceFromAzureHcl(blob({ requestVersion: 2, capabilities }));
    expect(capable.runtimeData).toEqual(RUNTIME_DATA);
  });

  it.each([
    [1, 'sha256'],
    [2, 'sha384'],
    [3, 'sha512'],
  ])('reads the HCL hash type %d as %s', (hashType, algorithm) => {
    expect(evidenceFromAzureHcl(blob({ hashType })).hashAlgorithm).toBe(algorithm);
  });

  it.each<[string, Parts, string]>([
    ['another magic number', { magic: 0x414c_4349 }, 'does not start as one'],
    ['version 0 of the header', { version: 0 }, 'unknown version'],
    ['version 3 of the header', { version: 3 }, 'unknown version'],
    ['a report of VBS', { reportType: 1 }, 'no SEV-SNP report'],
    ['a report of TDX', { reportType: 4 }, 'no SEV-SNP report'],
    ['hash type 0', { hashType: 0 }, 'unknown hash type'],
    ['hash type 4', { hashType: 4 }, 'unknown hash type'],
    ['version 0 of the request', { requestVersion: 0 }, 'unknown request version'],
    ['version 3 of the request', { requestVersion: 3 }, 'unknown request version'],
    ['runtime data beyond the end', { runtimeSize: 4096 }, 'ends before its runtime data'],
    ['runtime data of 4 GiB', { runtimeSize: 0xffff_ffff, dataSize: 0 }, 'ends before'],
    ['something behind', { padding: Uint8Array.of(0, 1) }, 'behind its runtime data'],
  ])('refuses an HCL report with %s', (_, parts, message) => {
    refuses(blob(parts), message);
  });

  it('names the sizes that an HCL request of version 2 may have', () => {
    const size = RUNTIME_DATA.length;
    for (const dataSize of [0, size, size + 19, size + 21, size + 25, 0xffff_ffff]) {
      expect(() => evidenceFromAzureHcl(blob({ requestVersion: 2, dataSize }))).toThrow(
        expect.objectContaining({
          code: 'hcl-malformed',
          message: 'the HCL blob has a request whose size its runtime data does not fit',
          expected: `${size + 20} or ${size + 24}`,
          found: String(dataSize),
        }),
      );
    }
  });

  it('refuses an HCL report of too few or too many bytes', () => {
    refuses(blob().subarray(0, 1235), 'wrong length');
    refuses(blob({ padding: new Uint8Array(0x1_0000) }), 'wrong length');
  });

  it('throws a TypeError for an HCL report that is not bytes', () => {
    const read: (bytes: never) => unknown = evidenceFromAzureHcl;
    expect(() => read('HCLA' as never)).toThrow(TypeError);
  });

  it('reads any bytes as an HCL report or refuses them', { timeout: FUZZ_TIMEOUT }, async () => {
    const flips = fc.array(fc.record({ at: fc.nat(1340), byte: fc.nat(255) }), { maxLength: 4 });
    await fuzz(
      fc.property(flips, (changes) => {
        const bytes = blob();
        for (const { at, byte } of changes) bytes[at] = byte;
        const code = codeOf(() => evidenceFromAzureHcl(bytes));
        expect(['accepted', 'hcl-malformed']).toContain(code);
      }),
    );
  });
});
