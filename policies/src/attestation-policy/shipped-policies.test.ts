import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPolicyDocument } from '../document.ts';
import { parseAttestationPolicy, STRICT_POLICY, TCB_MINIMUMS } from './attestation-policy.ts';

function shipped(name: string): unknown {
  return readPolicyDocument(readFileSync(new URL(`../../defaults/${name}`, import.meta.url)));
}

describe('the strict policy', () => {
  it('parses an empty document as the strict policy', () => {
    expect(STRICT_POLICY).toEqual(parseAttestationPolicy({}));
    expect(STRICT_POLICY).toMatchObject({
      tee: 'sev-snp',
      products: ['Milan', 'Genoa', 'Turin'],
      reportVersions: [3, 4, 5],
      vmpl: 0,
      allowDebug: false,
      allowMigrationAgent: false,
      allowSmt: true,
      allowCxl: false,
      requireAliasCheck: true,
      allowTio: false,
      allowUnknownPlatformInfo: 0n,
      permitProvisionalFirmware: false,
      minFirmware: '1.55',
      signingKeys: ['VCEK'],
      cspIds: [],
      allowMaskedChip: false,
      engines: ['qemu'],
      measurements: [],
      krunMeasurements: [],
      crl: { required: true, maxAgeDays: 7, minNumber: {} },
    });
    expect(STRICT_POLICY.hostData).toBeUndefined();
    expect(STRICT_POLICY.reportData).toBeUndefined();
  });

  it('parses the shipped strict policy as the strict policy', () => {
    expect(parseAttestationPolicy(shipped('attestation-strict.yaml'))).toEqual(STRICT_POLICY);
  });

  it('writes every key that has a default into the shipped strict policy', () => {
    const written = Object.keys(Object(shipped('attestation-strict.yaml')));
    expect(written.sort()).toEqual(['schema', ...Object.keys(STRICT_POLICY)].sort());
  });

  it('takes the minimums of the strict policy from the table', () => {
    expect(STRICT_POLICY.minTcb).toEqual({
      milan: TCB_MINIMUMS.milan.minimum,
      genoa: TCB_MINIMUMS.genoa.minimum,
      bergamo_siena: TCB_MINIMUMS.bergamo_siena.minimum,
      turin: TCB_MINIMUMS.turin.minimum,
    });
    expect(STRICT_POLICY.minLaunchTcb).toBeUndefined();
    expect(STRICT_POLICY.minCommittedTcb).toBeUndefined();
  });
});

describe('the shipped examples', () => {
  it('parses the shipped example policies', () => {
    const example = parseAttestationPolicy(shipped('attestation-example.yaml'));
    expect(example.measurements).toHaveLength(2);
    expect(example.minTcb).toEqual({ genoa: { bl: 10, tee: 0, snp: 27, ucode: 88 } });
    const simulated = parseAttestationPolicy(shipped('attestation-simulated-example.yaml'));
    expect(simulated.tee).toBe('simulated');
    const aws = parseAttestationPolicy(shipped('attestation-aws-example.yaml'));
    expect(aws).toMatchObject({ signingKeys: ['VLEK'], allowMaskedChip: true });
  });
});
