import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { amdFile, EvidenceFiles, pem } from '../../../testing/evidence-files.ts';
import { acceptingGenoa, failed, verifyIn } from '../../../testing/verify-in.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-envelopes-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const genoa = (): EvidenceFiles => new EvidenceFiles(cwd, 'hardware', 'genoa-v5');

async function judged(files: EvidenceFiles, ...more: readonly string[]) {
  const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
  const done = await verifyIn(cwd, [...flags, acceptingGenoa(files), '--json', ...more]);
  return { done, document: JSON.parse(done.stdout) };
}

function tinfoil({ report, vek }: EvidenceFiles) {
  const enclaveAttestationReport = {
    format: 'https://tinfoil.sh/predicate/sev-snp-guest/v2',
    body: gzipSync(report).toString('base64'),
  };
  const rest = { domain: 'a.example', digest: '', sigstoreBundle: {}, enclaveCert: '' };
  return { ...rest, enclaveAttestationReport, vcek: vek.toString('base64') };
}

function certificateTable(vek: Buffer): Buffer {
  const header = Buffer.alloc(48);
  header.write('63da758de6644564adc5f4b93be8accd', 'hex');
  header.writeUInt32LE(48, 16);
  header.writeUInt32LE(vek.length, 20);
  return Buffer.concat([header, vek]);
}

/** Version 0: SCALE. */
function dstack({ report, vek }: EvidenceFiles): Buffer {
  const length = (bytes: number) => Buffer.from([((bytes << 2) & 0xff) | 1, bytes >> 6]);
  return Buffer.concat([
    Buffer.from([0, 3]),
    ...[length(report.length), report],
    ...[Buffer.from([1 << 2]), length(vek.length), vek],
    // Neither a configuration nor events.
    Buffer.from([0, 0]),
    ...[report.subarray(0x50, 0x90), Buffer.from([0])],
  ]);
}

/** Version 1: MessagePack. */
function dstack1({ report, vek }: EvidenceFiles): Buffer {
  const text = (of: string) => Buffer.concat([Buffer.from([0xa0 | of.length]), Buffer.from(of)]);
  const bytes = (of: Buffer) =>
    Buffer.concat([Buffer.from([0xc5, of.length >> 8, of.length & 0xff]), of]);
  const map = (...members: readonly (readonly [string, Buffer])[]) =>
    Buffer.concat([
      Buffer.from([0x80 | members.length]),
      ...members.flatMap(([name, value]) => [text(name), value]),
    ]);
  const chain = Buffer.concat([Buffer.from([0x91]), bytes(vek)]);
  const data = map(['report', bytes(report)], ['cert_chain', chain], ['mr_config', text('')]);
  const said = map(
    ['report_data', bytes(report.subarray(0x50, 0x90))],
    ['runtime_events', Buffer.from([0x90])],
    ['config', text('')],
  );
  return map(
    ['version', Buffer.from([1])],
    ['platform', map(['kind', text('sev-snp')], ['data', data])],
    ['stack', map(['kind', text('dstack')], ['data', said])],
  );
}

const ENVELOPES: Readonly<Record<string, readonly [string, (files: EvidenceFiles) => unknown]>> = {
  "Tinfoil's bundle": ['tinfoil', tinfoil],
  'an attestation of dstack': ['dstack', dstack],
  'an attestation of dstack in its newer form': ['dstack', dstack1],
  'an answer of dstack': [
    'dstack',
    (files) => ({ attestation: dstack(files).toString('hex'), quote: '', vm_config: '{}' }),
  ],
  'JSON of configfs-tsm': [
    'tsm-report',
    ({ report, vek }) => ({
      provider: 'sev_guest\n',
      outblob: report.toString('base64url'),
      auxblob: certificateTable(vek).toString('base64url'),
    }),
  ],
  'a report and certificates in PEM': [
    'pem',
    ({ report, vek }) =>
      Buffer.from(
        `-----BEGIN ATTESTATION REPORT-----\n${(report.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n` +
          `-----END ATTESTATION REPORT-----\n${pem([vek.toString('base64')])}${amdFile('genoa_ask.pem')}`,
      ),
  ],
};

/** The blob of a vTPM of another VM: its report does not bind the runtime data. */
function hcl(report: Buffer, runtime: Buffer): Buffer {
  const header = Buffer.alloc(32);
  header.write('HCLA');
  header.writeUInt32LE(1, 4);
  const request = Buffer.alloc(20);
  for (const [index, word] of [20 + runtime.length, 1, 2, 1, runtime.length].entries()) {
    request.writeUInt32LE(word, 4 * index);
  }
  return Buffer.concat([header, report, request, runtime]);
}

const RUNTIME = Buffer.from('{"keys":[]}');

function azure({ report, vek }: EvidenceFiles, version: number) {
  const pcrs = Array.from({ length: 24 }, () => '00'.repeat(32));
  return {
    version,
    tpm_quote: { signature: '00', message: 'ff5443478018', pcrs },
    hcl_report: hcl(report, RUNTIME).toString('base64url'),
    vcek: vek.toString('base64url'),
  };
}

describe('the evidence formats of attest verify', () => {
  for (const [name, [format, make]] of Object.entries(ENVELOPES)) {
    it(`recognises ${name}`, async () => {
      const files = genoa();
      const made = make(files);
      files.write('report.bin', made instanceof Buffer ? made : JSON.stringify(made));
      const { done, document } = await judged(files);
      expect(done.status, done.stderr).toBe(0);
      expect(document.sources).toMatchObject({ format, vek: 'the evidence' });
      const named = await judged(files, `--report-format=${format}`);
      expect(named.done.status).toBe(0);
    });
  }

  it.each([1216, 1280, 4000])(
    'recognises a response of the guest device of %i bytes',
    async (size) => {
      const files = genoa();
      const response = Buffer.alloc(size);
      response.writeUInt32LE(1184, 4);
      response.set(files.report, 32);
      files.write('report.bin', response);
      const { document } = await judged(files, '--vek=vek.der');
      expect(document).toMatchObject({ accepted: true, sources: { format: 'report-response' } });
    },
  );

  it.each([
    ['az-snp-vtpm', (files: EvidenceFiles) => azure(files, 2)],
    [
      'attestation-rs',
      (files: EvidenceFiles) => ({ platform: 'az-snp', evidence: azure(files, 1) }),
    ],
  ])('binds the report in JSON of %s to its runtime data', async (format, make) => {
    const files = genoa();
    files.write('report.bin', JSON.stringify(make(files)));
    const { done, document } = await judged(files);
    expect(document.sources).toMatchObject({ format, vek: 'the evidence' });
    expect(failed(done)).toEqual(['runtime-data']);
    expect(done.stdout).toContain(createHash('sha256').update(RUNTIME).digest('hex'));
  });

  it.each<[string, string | Buffer, string]>([
    ['a bundle of Tinfoil without evidence', '{"enclaveAttestationReport": {}}', 'json-malformed'],
    ['dstack of another processor', Buffer.from([0, 3, 0]), 'dstack-malformed'],
    ['an answer without an attestation', '{"attestation": ""}', 'json-malformed'],
    ['configfs-tsm without a report', '{"outblob": ""}', 'json-malformed'],
    ['a quote without the rest', '{"quote": {}, "report": []}', 'json-malformed'],
    ['PEM of nothing', '-----BEGIN SEV-SNP REPORT-----\n', 'pem-malformed'],
    ['PEM of another report', '-----BEGIN TDX REPORT-----\n', 'pem-malformed'],
    ['two formats at once', '{"outblob": "", "attestation": ""}', 'evidence-unrecognised'],
    ['no format at all', '{"quote": ""}', 'evidence-unrecognised'],
  ])('refuses evidence that is %s', async (_, bytes, code) => {
    const files = genoa();
    files.write('report.bin', bytes);
    const { done, document } = await judged(files);
    expect(done.status).toBe(2);
    expect(document).toMatchObject({ accepted: false, code });
  });
});
