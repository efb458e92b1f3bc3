import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeKeyInfo } from '../report/key-info.ts';
import type { ReportClaims } from '../report/report-claims.ts';
import { serializeReport } from '../report/serialize.ts';
import type { Tcb } from '../report/tcb.ts';
import {
  claimsOfVersion,
  SAMPLE_CLAIMS,
  SAMPLE_SIGNATURE,
  sampleReport,
  TURIN_CLAIMS,
} from '../report/testing/sample.ts';
import { codeOf } from '../testing/code-of.ts';
import { evidenceFromCocoJson } from './coco.ts';
import { encodePem } from './encodings/pem.ts';
import { ARK, ASK, base64, VCEK, VLEK } from './testing/certificates.ts';

const bytes = (hex: string) => [...Buffer.from(hex, 'hex')];
const zeros = (size: number) => new Array<number>(size).fill(0);

type Json = Record<string, unknown>;

/** r and s of the sample's signature as a report has them: little-endian, in 72 bytes. */
const [R, S] = [0, 48].map((at) => [
  ...[...SAMPLE_SIGNATURE.subarray(at, at + 48)].reverse(),
  ...zeros(24),
]);

/** The members that every release prints. */
function common(claims: ReportClaims): Json {
  return {
    version: claims.version,
    guest_svn: claims.guestSvn,
    policy: Number(claims.policy.raw),
    family_id: bytes(claims.familyId),
    image_id: bytes(claims.imageId),
    vmpl: claims.vmpl,
    sig_algo: claims.signatureAlgo,
    plat_info: Number(claims.platformInfo.raw),
    report_data: bytes(claims.reportData),
    measurement: bytes(claims.measurement),
    host_data: bytes(claims.hostData),
    id_key_digest: bytes(claims.idKeyDigest),
    author_key_digest: bytes(claims.authorKeyDigest),
    report_id: bytes(claims.reportId),
    report_id_ma: bytes(claims.reportIdMa),
    chip_id: bytes(claims.chipId),
  };
}

function newTcb({ fmc = undefined, bl, tee, snp, ucode }: Tcb): Json {
  return { fmc: fmc ?? null, bootloader: bl, tee, snp, microcode: ucode };
}

/** A report as newer releases of virtee/sev print it. */
function newReport(claims: ReportClaims): Json {
  const vector = (value: bigint | null) => (value === null ? null : Number(value));
  return {
    ...common(claims),
    current_tcb: newTcb(claims.currentTcb),
    key_info: encodeKeyInfo(claims.keyInfo),
    reported_tcb: newTcb(claims.reportedTcb),
    cpuid_fam_id: claims.cpuid?.family ?? null,
    cpuid_mod_id: claims.cpuid?.model ?? null,
    cpuid_step: claims.cpuid?.stepping ?? null,
    committed_tcb: newTcb(claims.committedTcb),
    current: claims.currentVersion,
    committed: claims.committedVersion,
    launch_tcb: newTcb(claims.launchTcb),
    launch_mit_vector: vector(claims.launchMitVector),
    current_mit_vector: vector(claims.currentMitVector),
    signature: { r: R, s: S },
  };
}

function oldTcb({ bl, tee, snp, ucode }: Tcb): Json {
  return { bootloader: bl, tee, _reserved: zeros(4), snp, microcode: ucode };
}

/** A version 2 report as releases print it that also know version 3 (`AttestationReportV2`). */
function v2Report(claims: ReportClaims): Json {
  return {
    ...common(claims),
    current_tcb: oldTcb(claims.currentTcb),
    key_info: encodeKeyInfo(claims.keyInfo),
    _reserved_0: 0,
    reported_tcb: oldTcb(claims.reportedTcb),
    _reserved_1: zeros(24),
    committed_tcb: oldTcb(claims.committedTcb),
    current_build: claims.currentVersion.build,
    current_minor: claims.currentVersion.minor,
    current_major: claims.currentVersion.major,
    _reserved_2: 0,
    committed_build: claims.committedVersion.build,
    committed_minor: claims.committedVersion.minor,
    committed_major: claims.committedVersion.major,
    _reserved_3: 0,
    launch_tcb: oldTcb(claims.launchTcb),
    _reserved_4: zeros(168),
    signature: { r: R, s: S, _reserved: zeros(368) },
  };
}

/** A version 3 report as the same releases print it (`AttestationReportV3`). */
function v3Report(claims: ReportClaims): Json {
  return {
    ...v2Report(claims),
    cpuid_fam_id: claims.cpuid?.family,
    cpuid_mod_id: claims.cpuid?.model,
    cpuid_step: claims.cpuid?.stepping,
    _reserved_1: zeros(21),
  };
}

/** A version 2 report as the oldest releases print it, which know no other version. */
function oldReport(claims: ReportClaims): Json {
  const { key_info, ...rest } = v2Report(claims);
  return { ...rest, _author_key_en: key_info };
}

function evidence(changes: Json = {}, cert_chain: unknown = null): Json {
  return { attestation_report: { ...newReport(SAMPLE_CLAIMS), ...changes }, cert_chain };
}

function pem(...ders: readonly Uint8Array[]): Uint8Array {
  return Buffer.from(ders.map((der) => encodePem('CERTIFICATE', der)).join(''));
}

function refuses(input: unknown, message: string): void {
  expect(() => evidenceFromCocoJson(input)).toThrow(
    expect.objectContaining({ code: 'json-malformed', message: expect.stringContaining(message) }),
  );
}

describe('evidenceFromCocoJson', () => {
  it('rebuilds the report bytes from the JSON that newer releases of CoCo print', () => {
    const samples = [SAMPLE_CLAIMS, TURIN_CLAIMS, ...([2, 3, 4] as const).map(claimsOfVersion)];
    for (const claims of samples) {
      const json = JSON.stringify({ attestation_report: newReport(claims), cert_chain: null });
      expect(evidenceFromCocoJson(json)).toEqual({
        report: serializeReport(claims, SAMPLE_SIGNATURE),
        vek: undefined,
        authorities: [],
      });
    }
  });

  it.each([
    ['the oldest', 2, oldReport],
    ['older ones of version 2', 2, v2Report],
    ['older ones of version 3', 3, v3Report],
    ['newer ones of version 2', 2, newReport],
    ['newer ones of version 3', 3, newReport],
  ] as const)(
    'rebuilds the same 1184 bytes from the JSON of CoCo releases: %s',
    (_, version, print) => {
      const claims = claimsOfVersion(version);
      const { report } = evidenceFromCocoJson({ attestation_report: print(claims) });
      expect(report).toHaveLength(1184);
      expect(report).toEqual(serializeReport(claims, SAMPLE_SIGNATURE));
    },
  );

  it('locates reserved bytes in the JSON of CoCo by their number', () => {
    const place = (claims: Json) => evidenceFromCocoJson({ attestation_report: claims }).report;
    const many = (size: number) => zeros(size).map((_, index) => index + 1);
    const without = place({ ...v2Report(claimsOfVersion(2)), _reserved_1: many(24) });
    expect([...without.subarray(0x187, 0x1a1)]).toEqual([213, ...many(24), 0x99]);
    const behind = place({ ...v3Report(claimsOfVersion(3)), _reserved_1: many(21) });
    expect([...behind.subarray(0x188, 0x1a1)]).toEqual([0x19, 1, 1, ...many(21), 0x99]);
    const shorter = place({ ...v2Report(claimsOfVersion(2)), _reserved_1: many(21) });
    expect([...shorter.subarray(0x188, 0x1a1)]).toEqual([0, 0, 0, ...many(21), 0x99]);
  });

  it('restores nonzero reserved bytes from the JSON of CoCo, for the parser to refuse', () => {
    const { report } = evidenceFromCocoJson({
      attestation_report: { ...oldReport(claimsOfVersion(2)), _reserved_0: 0x0102, _reserved_3: 3 },
    });
    expect([report[0x4c], report[0x4d], report[0x1ef]]).toEqual([2, 1, 3]);
  });

  it('reads the report of CoCo evidence from base64, with a wrapper or without', () => {
    const bare = { attestation_report: base64(sampleReport()), cert_chain: { vcek: base64(VCEK) } };
    const expected = { report: sampleReport(), vek: VCEK, authorities: [] };
    expect(evidenceFromCocoJson(bare)).toEqual(expected);
    for (const platform of ['snp', 'gcp-snp']) {
      expect(evidenceFromCocoJson({ platform, evidence: bare })).toEqual(expected);
    }
  });

  it('reads the certificates of CoCo evidence by their types, and ignores the unneeded', () => {
    const chain = [
      { cert_type: 'ARK', data: [...ARK] },
      { cert_type: 'ASK', data: [...ASK] },
      { cert_type: 'VCEK', data: [...VCEK] },
      { cert_type: 'VLEK', data: [...VLEK] },
      { cert_type: 'CRL', data: [1] },
      { cert_type: { OTHER: '12345678-1234-1234-1234-123456789abc' }, data: [] },
      { cert_type: 'Empty', data: [] },
    ];
    expect(evidenceFromCocoJson(evidence({}, chain))).toEqual({
      report: sampleReport(),
      vek: VCEK,
      authorities: [ASK, ARK],
    });
    expect(evidenceFromCocoJson(evidence({ key_info: 4 }, chain)).vek).toEqual(VLEK);
  });

  it('reads certificates of CoCo evidence that the host padded or chained', () => {
    const chain = [
      { cert_type: 'VCEK', data: [...VCEK, 0, 0] },
      { cert_type: 'ASK', data: [...pem(ASK, ARK), 0] },
    ];
    const expected = { report: sampleReport(), vek: VCEK, authorities: [ASK, ARK] };
    expect(evidenceFromCocoJson(evidence({}, chain))).toEqual(expected);
    const named = { vcek: base64(Uint8Array.of(...VCEK, 0)), ask: base64(pem(ASK, ARK)) };
    expect(evidenceFromCocoJson(evidence({}, named))).toEqual(expected);
  });

  it('reads the certificates of CoCo evidence by their names', () => {
    const chain = { vlek: base64(VLEK), ask: base64(ASK), ark: null };
    expect(evidenceFromCocoJson(evidence({}, chain))).toMatchObject({
      vek: VLEK,
      authorities: [ASK],
    });
  });

  const { key_info: _, ...unsigned } = newReport(SAMPLE_CLAIMS);
  const old = (changes: Json) => ({
    attestation_report: { ...oldReport(claimsOfVersion(2)), ...changes },
  });
  const entry = { cert_type: 'VCEK', data: [...VCEK] };
  const tcb = newTcb(SAMPLE_CLAIMS.currentTcb);

  it.each<[string, unknown, string]>([
    ['text that is not JSON', 'snp', 'the envelope must be JSON'],
    ['no object', [], 'the evidence must be an object'],
    ['a string', '"snp"', 'the evidence must be an object'],
    ['another platform', { platform: 'tdx', evidence: evidence() }, 'platform must be "snp"'],
    ['a wrapper without evidence', { platform: 'snp' }, 'the evidence must be an object'],
    ['more in a wrapper', { platform: 'snp', evidence: {}, x: 1 }, 'without "x"'],
    ['an unknown member', { ...evidence(), tcb: 1 }, 'without "tcb"'],
    ['no report', {}, 'attestation_report must be an object'],
    ['a report that is no base64', { attestation_report: '%' }, 'must be base64'],
    ['an unknown field', evidence({ chip: 1 }), 'without "chip"'],
    ['a __proto__', '{"attestation_report":{"__proto__":{}}}', 'without "__proto__"'],
    [
      'a member twice',
      '{"cert_chain":[],"cert_\\u0063hain":null}',
      'without a second "cert_chain"',
    ],
    ['a field twice', '{"attestation_report":{"vmpl":0,"vmpl":0}}', 'without a second "vmpl"'],
    ['a missing number', evidence({ vmpl: null }), 'vmpl must be an integer'],
    ['a number that is text', evidence({ vmpl: '0' }), 'vmpl must be an integer'],
    ['a number too large', evidence({ cpuid_step: 256 }), 'cpuid_step must be an unsigned'],
    ['a missing byte string', evidence({ chip_id: undefined }), 'chip_id must be an array'],
    ['a short byte string', evidence({ chip_id: zeros(63) }), 'chip_id must be an array of 64'],
    ['a long byte string', evidence({ chip_id: zeros(65) }), 'an array of at most 64'],
    ['a byte of 256', evidence({ host_data: [256, ...zeros(31)] }), 'host_data must be'],
    ['22 reserved bytes', old({ _reserved_1: zeros(22) }), 'an array of 24 or 21 bytes'],
    ['25 reserved bytes', old({ _reserved_1: zeros(25) }), 'an array of at most 24'],
    ['reserved bytes over a CPUID', old({ cpuid_step: 0 }), '_reserved_1 must be an array of 21'],
    ['no key information', { attestation_report: unsigned }, 'with a key_info'],
    ['key information twice', evidence({ _author_key_en: 0 }), 'with a key_info'],
    ['a TCB version without a part', evidence({ launch_tcb: {} }), 'launch_tcb.bootloader'],
    [
      'a TCB version with reserved bytes',
      evidence({ launch_tcb: { ...tcb, _reserved: [0, 0, 0, 1] } }),
      'launch_tcb._reserved must be zeros',
    ],
    ['a TCB version that is a number', evidence({ launch_tcb: 1 }), 'launch_tcb must be an object'],
    ['firmware twice', evidence({ current_build: 1 }), 'current must be given once'],
    ['firmware without a part', evidence({ current: { build: 1, major: 1 } }), 'minor must be'],
    ['no firmware', evidence({ committed: null }), 'committed_build must be an integer'],
    ['no signature', evidence({ signature: null }), 'signature must be an object'],
    [
      'a signature with reserved bytes',
      evidence({ signature: { r: R, s: S, _reserved: [...zeros(367), 1] } }),
      'signature._reserved must be zeros',
    ],
    ['half a signature', evidence({ signature: { r: R } }), 'signature.s must be an array'],
    ['a chain that is text', evidence({}, 'VCEK'), 'cert_chain must be an object'],
    ['an unknown certificate', evidence({}, { crl: '' }), 'without "crl"'],
    ['a malformed certificate', evidence({}, { ask: 'AAAA' }), 'cert_chain.ask must be'],
    ['two of a chip', evidence({}, { vcek: base64(pem(VCEK, ASK)) }), 'vcek must be one cert'],
    ['three in a chain', evidence({}, { ask: base64(pem(ASK, ARK, ARK)) }), 'at most 2 certif'],
    ['17 certificates', evidence({}, new Array(17).fill(entry)), 'at most 16 elements'],
    ['a certificate twice', evidence({}, [entry, entry]), 'cert_chain[1] must be the only one'],
    ['an unknown type', evidence({}, [{ ...entry, cert_type: 'X' }]), 'cert_type must be'],
    [
      'another type without a GUID',
      evidence({}, [{ cert_type: { OTHER: 'X' }, data: [] }]),
      'GUID',
    ],
    ['another type that is no text', evidence({}, [{ cert_type: { OTHER: 1 }, data: [] }]), 'GUID'],
    ['data that is text', evidence({}, [{ ...entry, data: 'MA==' }]), 'cert_chain[0].data must'],
  ])('refuses CoCo evidence: %s', (_name, input, message) => {
    refuses(input, message);
  });

  it('reads any JSON as CoCo evidence or refuses it', { timeout: FUZZ_TIMEOUT }, async () => {
    const names = [
      ...Object.keys(newReport(SAMPLE_CLAIMS)),
      ...Object.keys(oldReport(SAMPLE_CLAIMS)),
    ];
    const change = fc.tuple(fc.constantFrom(...names, '__proto__'), fc.jsonValue());
    await fuzz(
      fc.property(fc.oneof(change, fc.json(), fc.string()), fc.jsonValue(), (input, chain) => {
        const json =
          typeof input === 'string' ? input : evidence(Object.fromEntries([input]), chain);
        const code = codeOf(() => evidenceFromCocoJson(json));
        expect(['accepted', 'json-malformed']).toContain(code);
      }),
    );
  });
});
