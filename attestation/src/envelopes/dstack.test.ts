import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import { verify } from '../verify/verify.ts';
import { encodeCertificateTable } from './certificate-table.ts';
import { evidenceFromDstack, evidenceFromDstackJson } from './dstack.ts';
import { encodePem } from './encodings/pem.ts';
import { type DstackParts, msgpack, scaleAttestation } from './testing/dstack.ts';
import { GENOA_ARK, GENOA_ASK, GENOA_VCEK, NOW, REPORT } from './testing/hardware.ts';

const PARTS: DstackParts = {
  version: 0,
  variant: 3,
  report: REPORT,
  chain: [GENOA_VCEK, GENOA_ASK],
  mrConfig: '{"version":3}',
  events: [
    ['app-id', Uint8Array.of(1, 2)],
    ['system-ready', new Uint8Array()],
  ],
  reportData: REPORT.slice(0x50, 0x90),
  config: '{}',
};
const scale = (change: Partial<DstackParts> = {}) => scaleAttestation({ ...PARTS, ...change });

type Json = Record<string, unknown>;

const DATA = {
  report: [...REPORT],
  cert_chain: [[...GENOA_VCEK], [...GENOA_ASK]],
  mr_config: PARTS.mrConfig,
};
const STACK = { report_data: [...PARTS.reportData], runtime_events: [], config: '{}' };

function packed(data: Json = {}, stack: Json = {}, whole: Json = {}): Uint8Array {
  return Uint8Array.from(
    msgpack({
      version: 1,
      platform: { kind: 'sev-snp', data: { ...DATA, ...data } },
      stack: { kind: 'dstack', data: { ...STACK, ...stack } },
      ...whole,
    }),
  );
}

const EXPECTED = {
  evidence: { report: REPORT, vek: GENOA_VCEK, authorities: [GENOA_ASK] },
  mrConfig: PARTS.mrConfig,
};

function refuses(bytes: Uint8Array, message: string): void {
  expect(() => evidenceFromDstack(bytes)).toThrow(
    expect.objectContaining({
      code: 'dstack-malformed',
      message: expect.stringContaining(message),
    }),
  );
}

describe('evidenceFromDstack', () => {
  it('reads report, certificates and configuration from a dstack attestation of either version', () => {
    expect(evidenceFromDstack(scale())).toEqual(EXPECTED);
    expect(evidenceFromDstack(packed())).toEqual(EXPECTED);
    const { evidence } = evidenceFromDstack(scale());
    expect(verify(evidence, { now: NOW }).claims.product).toBe('Genoa');
  });

  it('reads byte strings of a dstack attestation, and the fields that a pod adds', () => {
    const data = { report: REPORT, cert_chain: [GENOA_VCEK, GENOA_ASK] };
    const stack = {
      kind: 'dstack-pod',
      data: { ...STACK, report_data: PARTS.reportData, report_data_payload: 'payload' },
    };
    expect(evidenceFromDstack(packed(data, {}, { stack }))).toEqual(EXPECTED);
  });

  it('reads the certificates of a dstack attestation in any order, as PEM, or none', () => {
    const pem = (der: Uint8Array) => new TextEncoder().encode(encodePem('CERTIFICATE', der));
    const chain = [pem(GENOA_ARK), pem(GENOA_ASK), pem(GENOA_VCEK)];
    expect(evidenceFromDstack(scale({ chain })).evidence).toEqual({
      report: REPORT,
      vek: GENOA_VCEK,
      authorities: [GENOA_ARK, GENOA_ASK],
    });
    expect(evidenceFromDstack(scale({ chain: [] })).evidence).toEqual({
      report: REPORT,
      vek: undefined,
      authorities: [],
    });
  });

  it("reads the host's certificate table in place of the certificates of a dstack attestation", () => {
    const table = encodeCertificateTable({ vcek: GENOA_VCEK, ask: GENOA_ASK });
    expect(evidenceFromDstack(scale({ chain: [table] }))).toEqual(EXPECTED);
    expect(codeOf(() => evidenceFromDstack(scale({ chain: [table.subarray(1)] })))).toBe(
      'certificate-table-malformed',
    );
    refuses(scale({ chain: [table, table] }), 'no certificate');
    refuses(scale({ chain: [new Uint8Array(), GENOA_VCEK] }), 'no certificate');
    refuses(scale({ chain: [new Uint8Array()] }), 'no certificate');
    const three = encodePem('CERTIFICATE', GENOA_ASK).repeat(3);
    refuses(scale({ chain: [new TextEncoder().encode(three)] }), 'too many certificates');
  });

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'ends too early'],
    ['another version', Uint8Array.of(1, ...scale().subarray(1)), 'behind the data'],
    ['another processor', scale({ variant: 0 }), 'not of SEV-SNP'],
    ['a byte behind it', Uint8Array.of(...scale(), 0), 'behind the data'],
    ['a byte too few', scale().subarray(0, -1), 'ends too early'],
    ['a short report', scale({ report: REPORT.subarray(1) }), 'the wrong length'],
    ['other report data', scale({ reportData: new Uint8Array(64) }), 'not that of its report'],
    ['two endorsement keys', scale({ chain: [GENOA_VCEK, GENOA_VCEK] }), 'two endorsement key'],
    ['too many certificates', scale({ chain: Array(17).fill(GENOA_ASK) }), 'more than 16 parts'],
    [
      'too many events',
      scale({ events: Array(4097).fill(['event', new Uint8Array()]) }),
      'more than 4096 parts',
    ],
    ['too many bytes', new Uint8Array(0x8_0001), 'more than 524288 bytes'],
    ['a future version', packed({}, {}, { version: 2 }), 'version must be 1'],
    ['an unknown member', packed({}, {}, { more: 1 }), 'without "more"'],
    ['another platform', packed({}, {}, { platform: { kind: 'tdx', data: {} } }), 'platform.kind'],
    ['another stack', packed({}, {}, { stack: { kind: 'nitro', data: STACK } }), 'stack.kind'],
    ['a payload without a pod', packed({}, { report_data_payload: '' }), 'report_data_payload'],
    ['a platform with more', packed({ quote: '' }), 'without "quote"'],
    ['no report', packed({ report: null }), 'report must be'],
    ['a byte out of range', packed({ report: ['a'] }), 'report must be'],
    ['a chain that is no list', packed({ cert_chain: '' }), 'cert_chain must be'],
    ['a configuration that is no text', packed({ mr_config: 1 }), 'mr_config must be text'],
    ['events that are no list', packed({}, { runtime_events: null }), 'runtime_events must be'],
    ['no report data', packed({}, { report_data: [] }), 'not that of its report'],
    ['a byte behind version 1', Uint8Array.of(...packed(), 0), 'behind the data'],
  ])('refuses a dstack attestation: %s', (_, bytes, message) => {
    refuses(bytes, message);
  });

  it('refuses each prefix of a dstack attestation', () => {
    for (const whole of [scale(), packed()]) {
      for (let length = 0; length < whole.length; length += 97) {
        refuses(whole.subarray(0, length), '');
      }
    }
  });

  it('throws a TypeError for a dstack attestation that is not bytes', () => {
    const read: (bytes: never) => unknown = evidenceFromDstack;
    expect(() => read(null as never)).toThrow(TypeError);
  });

  it('reads any bytes as a dstack attestation or refuses them', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const [a, b] = [scale(), packed()];
    const anywhere = fc.record({ at: fc.nat(a.length - 1), byte: fc.nat(255), of: fc.boolean() });
    await fuzz(
      fc.property(anywhere, ({ at, byte, of }) => {
        const bytes = (of ? a : b).slice();
        bytes[at] = byte;
        const code = codeOf(() => evidenceFromDstack(bytes));
        const codes = ['accepted', 'dstack-malformed', 'certificate-table-malformed'];
        expect(codes).toContain(code);
      }),
    );
  });
});

describe('evidenceFromDstackJson', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

  it('reads the answers of dstack to Attest and GetQuote', () => {
    const attestation = hex(scale());
    const answer = {
      attestation,
      quote: '',
      event_log: '',
      report_data: hex(PARTS.reportData),
      vm_config: '{}',
    };
    expect(evidenceFromDstackJson({ attestation })).toEqual(EXPECTED);
    expect(evidenceFromDstackJson(JSON.stringify(answer))).toEqual(EXPECTED);
    expect(evidenceFromDstackJson({ attestation: hex(packed()) })).toEqual(EXPECTED);
  });

  it.each<[string, unknown]>([
    ['no attestation', {}],
    ['a quote of another processor', { attestation: hex(scale()), quote: '0400' }],
    ['an event log', { attestation: hex(scale()), event_log: '[]' }],
    ['base64', { attestation: Buffer.from(scale()).toString('base64') }],
    ['capitals', { attestation: hex(scale()).toUpperCase() }],
    ['an unknown member', { attestation: hex(scale()), more: '' }],
    ['a name twice', '{"quote": "", "quote": ""}'],
  ])('refuses a dstack answer with %s', (_, document) => {
    expect(codeOf(() => evidenceFromDstackJson(document))).toBe('json-malformed');
  });

  it('refuses a dstack answer whose attestation is malformed', () => {
    expect(codeOf(() => evidenceFromDstackJson({ attestation: '0003' }))).toBe('dstack-malformed');
  });
});
