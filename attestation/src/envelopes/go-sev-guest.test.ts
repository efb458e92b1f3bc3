import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serializeReport } from '../report/serialize.ts';
import {
  claimsOfVersion,
  SAMPLE_SIGNATURE,
  sampleReport,
  TURIN_CLAIMS,
} from '../report/testing/sample.ts';
import { codeOf } from '../testing/code-of.ts';
import { encodePem } from './encodings/pem.ts';
import { evidenceFromGoSevGuestJson } from './go-sev-guest.ts';
import { ARK, ASK, base64, VCEK, VLEK } from './testing/certificates.ts';

type Json = Record<string, unknown>;

/** The fields of a report as protobuf's JSON mapping prints them: zeros left out. */
function reportJson(bytes: Uint8Array): Json {
  const report = Buffer.from(bytes);
  const uint8 = (at: number) => report.readUInt8(at) || undefined;
  const uint32 = (at: number) => report.readUInt32LE(at) || undefined;
  const uint64 = (at: number) => {
    const value = report.readBigUInt64LE(at);
    return value === 0n ? undefined : value.toString();
  };
  const string = (at: number, size: number) => base64(report.subarray(at, at + size));
  const extendedFamily = Math.max(report.readUInt8(0x188) - 15, 0);
  const model = report.readUInt8(0x189);
  const eax =
    (extendedFamily << 20) |
    ((model >> 4) << 16) |
    (Math.min(report.readUInt8(0x188), 15) << 8) |
    ((model & 15) << 4) |
    report.readUInt8(0x18a);
  return {
    version: uint32(0x000),
    guestSvn: uint32(0x004),
    policy: uint64(0x008),
    familyId: string(0x010, 16),
    imageId: string(0x020, 16),
    vmpl: uint32(0x030),
    signatureAlgo: uint32(0x034),
    currentTcb: uint64(0x038),
    platformInfo: uint64(0x040),
    signerInfo: uint32(0x048),
    reportData: string(0x050, 64),
    measurement: string(0x090, 48),
    hostData: string(0x0c0, 32),
    idKeyDigest: string(0x0e0, 48),
    authorKeyDigest: string(0x110, 48),
    reportId: string(0x140, 32),
    reportIdMa: string(0x160, 32),
    reportedTcb: uint64(0x180),
    chipId: string(0x1a0, 64),
    committedTcb: uint64(0x1e0),
    currentBuild: uint8(0x1e8),
    currentMinor: uint8(0x1e9),
    currentMajor: uint8(0x1ea),
    committedBuild: uint8(0x1ec),
    committedMinor: uint8(0x1ed),
    committedMajor: uint8(0x1ee),
    launchTcb: uint64(0x1f0),
    launchMitVector: uint64(0x1f8),
    currentMitVector: uint64(0x200),
    signature: string(0x2a0, 512),
    cpuid1eaxFms: eax || undefined,
  };
}

function attestation(changes: Json = {}, others: Json = {}): Json {
  return { report: { ...reportJson(sampleReport()), ...changes }, ...others };
}

function refuses(input: unknown, message: string): void {
  expect(() => evidenceFromGoSevGuestJson(input)).toThrow(
    expect.objectContaining({ code: 'json-malformed', message: expect.stringContaining(message) }),
  );
}

describe('evidenceFromGoSevGuestJson', () => {
  it('rebuilds the report bytes of every version and product from go-sev-guest JSON', () => {
    const reports = [
      sampleReport(),
      serializeReport(TURIN_CLAIMS, SAMPLE_SIGNATURE),
      ...([2, 3, 4] as const).map((version) =>
        serializeReport(claimsOfVersion(version), SAMPLE_SIGNATURE),
      ),
    ];
    for (const report of reports) {
      const json = JSON.stringify({ report: reportJson(report) });
      expect(evidenceFromGoSevGuestJson(json)).toEqual({
        report,
        vek: undefined,
        authorities: [],
      });
    }
  });

  it('reads go-sev-guest evidence as parsed JSON, and with the names of the schema', () => {
    const snake = Object.fromEntries(
      Object.entries(reportJson(sampleReport())).map(([name, value]) => [
        name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
    );
    expect(snake).toHaveProperty('cpuid1eax_fms');
    const evidence = evidenceFromGoSevGuestJson({
      report: snake,
      certificate_chain: { vcek_cert: base64(VCEK) },
    });
    expect(evidence).toEqual({ report: sampleReport(), vek: VCEK, authorities: [] });
  });

  it('reads go-sev-guest numbers as JSON numbers or strings of any width, and null as zero', () => {
    const changes = { policy: 0x3_011f, version: '5', vmpl: null, guestSvn: 7 };
    expect(evidenceFromGoSevGuestJson(attestation(changes)).report).toEqual(sampleReport());
  });

  it('reads the certificates of go-sev-guest evidence, and ignores the unneeded', () => {
    const certificateChain = {
      vcekCert: base64(VCEK),
      vlekCert: base64(VLEK),
      askCert: base64(ASK),
      arkCert: base64(new TextEncoder().encode(encodePem('CERTIFICATE', ARK))),
      firmwareCert: base64(ASK),
      extras: { guid: base64(ASK) },
    };
    const product = { name: 'SEV_PRODUCT_MILAN', machineStepping: 1 };
    const json = attestation({}, { certificateChain, product });
    expect(evidenceFromGoSevGuestJson(json)).toEqual({
      report: sampleReport(),
      vek: VCEK,
      authorities: [ASK, ARK],
    });
    const vlek = attestation({ signerInfo: 4 }, { certificateChain });
    expect(evidenceFromGoSevGuestJson(vlek).vek).toEqual(VLEK);
  });

  it('reads a padded certificate and a chain of authorities in go-sev-guest evidence', () => {
    const chain = [ASK, ARK].map((der) => encodePem('CERTIFICATE', der)).join('');
    const certificateChain = {
      vcekCert: base64(Uint8Array.of(...VCEK, 0)),
      askCert: base64(Buffer.from(`${chain}\0\0`)),
    };
    expect(evidenceFromGoSevGuestJson(attestation({}, { certificateChain }))).toEqual({
      report: sampleReport(),
      vek: VCEK,
      authorities: [ASK, ARK],
    });
  });

  it.each<[string, unknown, string]>([
    ['a member twice', '{"report":{"vmpl":0,"vmpl":1}}', 'without a second "vmpl"'],
    ['text that is not JSON', '{', 'the envelope must be JSON'],
    ['text of more than 1 MiB', `"${'x'.repeat(0x10_0000)}"`, 'at most 1048576'],
    ['no object', '[]', 'the envelope must be an object'],
    ['null', 'null', 'the envelope must be an object'],
    ['a number', 7, 'the envelope must be an object'],
    ['nothing', undefined, 'the envelope must be an object'],
    ['no report', {}, 'report must be an object'],
    ['an unknown member', attestation({}, { quote: '' }), 'without "quote"'],
    ['an unknown field', attestation({ chipIdx: '' }), 'without "chipIdx"'],
    ['a __proto__', '{"report":{"__proto__":{}}}', 'without "__proto__"'],
    ['both names', attestation({ guest_svn: 7 }), 'one of guest_svn and guestSvn'],
    ['a missing byte string', attestation({ chipId: null }), 'report.chip_id must be base64'],
    ['a short byte string', attestation({ chipId: 'AAAA' }), 'base64 of 64 bytes'],
    ['no base64', attestation({ reportData: 'AAAAA' }), 'report.report_data must be base64'],
    ['a fraction', attestation({ vmpl: 0.5 }), 'report.vmpl must be an integer'],
    ['an inexact number', attestation({ policy: 2 ** 53 }), 'a number holds exactly'],
    ['a negative number', attestation({ vmpl: -1 }), 'an unsigned integer of 4 bytes'],
    ['a number too large', attestation({ currentBuild: 256 }), 'an unsigned integer of 1 bytes'],
    ['a string too large', attestation({ policy: `${1n << 64n}` }), 'integer of 8 bytes'],
    ['a string of zeros', attestation({ policy: '00' }), 'integer of 8 bytes'],
    ['a sign', attestation({ policy: '+1' }), 'integer of 8 bytes'],
    ['a boolean', attestation({ vmpl: true }), 'report.vmpl must be an integer'],
    ['a CPUID with more bits', attestation({ cpuid1eaxFms: 0x1000 }), 'family, model and'],
    ['a CPUID with too large a family', attestation({ cpuid1eaxFms: 0xff0_0f00 }), 'family'],
    ['no chain', attestation({}, { certificateChain: [] }), 'certificate_chain must be an object'],
    [
      'a malformed certificate',
      attestation({}, { certificateChain: { askCert: 'AAAA' } }),
      'certificate_chain.ask_cert must be a certificate, DER or PEM',
    ],
    [
      'two certificates',
      attestation(
        {},
        {
          certificateChain: {
            vcekCert: base64(Buffer.from(encodePem('CERTIFICATE', VCEK).repeat(2))),
          },
        },
      ),
      'must be one certificate',
    ],
    [
      'a certificate of more than 64 KiB',
      attestation({}, { certificateChain: { arkCert: base64(new Uint8Array(0x1_0001)) } }),
      'at most 65536 bytes',
    ],
  ])('refuses go-sev-guest evidence: %s', (_, input, message) => {
    refuses(input, message);
  });

  it('reads any JSON as go-sev-guest evidence or refuses it', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const name = fc.constantFrom(...Object.keys(reportJson(sampleReport())), '__proto__', 'x');
    const change = fc.tuple(name, fc.jsonValue());
    await fuzz(
      fc.property(fc.oneof(change, fc.json(), fc.string()), (input) => {
        const json = typeof input === 'string' ? input : attestation(Object.fromEntries([input]));
        const code = codeOf(() => evidenceFromGoSevGuestJson(json));
        expect(['accepted', 'json-malformed']).toContain(code);
      }),
    );
  });
});
