/**
 * The verifier beside others: they agree wherever they support the case, and where they do not,
 * the difference stands here with its reason.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePem, encodePem, VerificationError, verify } from '@a3s-box/attestation';
import { afterAll, describe, expect, it } from 'vitest';
import { parseVek } from '../../attestation/src/certificates/vek.ts';
import { integer, sequence } from '../../attestation/src/der/writer.ts';
import {
  AREAS,
  readVector,
  readVectorFile,
  readVectors,
  type Vector,
} from '../../attestation/src/testing/read-vectors.ts';
import { answerNow } from '../../attestation/src/verify/node-signatures.ts';
import { tracedVerification } from '../../attestation/src/verify/run.ts';
import { VERIFY_CHECKS, type VerifyCode } from '../../attestation/src/verify/verify-checks.ts';
import { amdNamedGenoa, reportDataOf } from '../peers/amd-named.ts';
import { type Chain, OpenSsl } from '../peers/openssl.ts';
import { tinfoilVerifies, tinfoilVerifiesUnder } from '../peers/tinfoil.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-openssl-'));
const openssl = new OpenSsl(directory);
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const rootsPem = readVectorFile('roots.pem');
const [ARK = '', ASK = '', ASVK = ''] = decodePem(rootsPem, 'CERTIFICATE').map((der) =>
  encodePem('CERTIFICATE', der),
);
const SIMULATED = AREAS.filter((area) => area !== 'hardware').flatMap(readVectors);
const ORDER = Object.keys(VERIFY_CHECKS) as VerifyCode[];

/** `openssl verify` takes a certificate's last second for too late; RFC 5280 (4.1.2.5) does not. */
const CHAIN_DIFFERENCES: readonly string[] = ['certificates/last-second'];

/**
 * `openssl verify -crl_check` looks up the intermediate alone, not the root that revoked itself.
 */
const REVOCATION_DIFFERENCES: readonly string[] = ['revocation/ark-revoked'];

/** Whether our verification came past a check, and if so, whether it held. */
function ours({ expected }: Vector, code: VerifyCode): boolean | undefined {
  if (expected.verify === 'accepted') return true;
  const failed = ORDER.indexOf(expected.verify as VerifyCode);
  const at = ORDER.indexOf(code);
  return failed < at ? undefined : failed > at;
}

function chainOf({ name, evidence }: Vector): Chain {
  const vek = evidence.vek ?? new Uint8Array();
  const { kind, issuer } = parseVek(vek);
  const pem = encodePem('CERTIFICATE', vek);
  if (!name.startsWith('hardware/')) {
    return { ark: ARK, intermediate: kind === 'VCEK' ? ASK : ASVK, vek: pem };
  }
  const product = issuer.commonName.replace(/^SEV-(VLEK-)?/, '').toLowerCase();
  const intermediate = readVectorFile(`amd/${product}_${kind === 'VCEK' ? 'ask' : 'asvk'}.pem`);
  return { ark: readVectorFile(`amd/${product}_ark.pem`), intermediate, vek: pem };
}

/** R and S of a report as ECDSA signatures are in DER. */
function derSignature(report: Uint8Array): Uint8Array {
  const number = (at: number): Uint8Array => {
    const bytes = Uint8Array.from(report.subarray(at, at + 72)).reverse();
    return integer(BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
  };
  return sequence(number(0x2a0), number(0x2e8));
}

describe('openssl', () => {
  const past = (code: VerifyCode): readonly Vector[] =>
    [...readVectors('hardware'), ...SIMULATED].filter((vector) => ours(vector, code) !== undefined);

  it('openssl agrees on every certificate chain', { timeout: 120_000 }, () => {
    const vectors = past('ca-validity');
    expect(vectors.map(({ name }) => name)).toEqual(expect.arrayContaining([...CHAIN_DIFFERENCES]));
    for (const vector of vectors) {
      const { name, options } = vector;
      const says = openssl.verifiesChain(chainOf(vector), options.now);
      const agreed = says === ours(vector, 'ca-validity');
      expect([name, agreed]).toEqual([name, !CHAIN_DIFFERENCES.includes(name)]);
    }
    const forged = SIMULATED.filter(({ expected }) => expected.verify === 'vek-signature');
    for (const vector of forged) {
      expect(openssl.verifiesChain(chainOf(vector), vector.options.now)).toBe(false);
    }
    expect(vectors.length).toBeGreaterThan(20);
    expect(forged.length).toBeGreaterThan(0);
  });

  it('openssl agrees on every signature of a report', { timeout: 120_000 }, () => {
    const vectors = past('report-signature');
    for (const vector of vectors) {
      const { name, evidence } = vector;
      const signed = evidence.report.subarray(0, 0x2a0);
      const { vek } = chainOf(vector);
      const says = openssl.verifiesReport(vek, signed, derSignature(evidence.report));
      expect([name, says]).toEqual([name, ours(vector, 'report-signature')]);
    }
    expect(vectors.some((vector) => ours(vector, 'report-signature') === false)).toBe(true);
  });

  it('openssl agrees on every revocation list and its revoked certificates', {
    timeout: 120_000,
  }, () => {
    const lists = past('crl-signature').filter(({ options }) => options.crl !== undefined);
    for (const vector of lists) {
      const { name, options } = vector;
      const crl = encodePem('X509 CRL', options.crl ?? new Uint8Array());
      const chain = chainOf(vector);
      expect([name, openssl.verifiesCrl(chain.ark, crl)]).toEqual([
        name,
        ours(vector, 'crl-signature'),
      ]);
      const holds = ours(vector, 'revocation');
      if (holds === undefined) continue;
      const agreed = openssl.isRevoked(chain, crl, options.now) === !holds;
      expect([name, agreed]).toEqual([name, !REVOCATION_DIFFERENCES.includes(name)]);
    }
    expect(lists.length).toBeGreaterThan(3);
  });
});

describe("Tinfoil's verifier", () => {
  const chain = amdNamedGenoa(reportDataOf('compared'));
  const { report, vek } = chain.evidence;

  async function bothSay(report: Uint8Array, vek: Uint8Array): Promise<[boolean, boolean]> {
    const theirs = await tinfoilVerifiesUnder(chain, report, vek).catch(() => false);
    try {
      answerNow(tracedVerification({ report, vek }, chain.anchors, { now: chain.now }));
      return [true, theirs];
    } catch (error) {
      if (error instanceof VerificationError) return [false, theirs];
      throw error;
    }
  }

  /** Changes one bit of each byte; we refuse all, and these offsets are what they take. */
  async function takenAnyway(
    bytes: Uint8Array,
    say: (changed: Uint8Array) => Promise<[boolean, boolean]>,
  ): Promise<number[]> {
    const taken: number[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const [ours, theirs] = await say(changed);
      expect([at, ours]).toEqual([at, false]);
      if (theirs) taken.push(at);
    }
    return taken;
  }

  it('Tinfoil’s verifier agrees on a Genoa report, and on changed ones except in high bytes of R and S', {
    timeout: 120_000,
  }, async () => {
    expect(await bothSay(report, vek)).toEqual([true, true]);
    // 72 bytes each, of which 48 are significant: we want the others to be zero.
    const highBytes = [0x2d0, 0x318].flatMap((from) =>
      Array.from({ length: 24 }, (_, index) => from + index),
    );
    expect(await takenAnyway(report, (changed) => bothSay(changed, vek))).toEqual(highBytes);
  });

  it('Tinfoil’s verifier agrees on changed certificates except outside the signed part', {
    timeout: 120_000,
  }, async () => {
    // The outermost tag, and the copy of the algorithm behind the signed part: we want one
    // encoding.
    const signedEnd = 4 + parseVek(vek).tbs.length;
    const taken = await takenAnyway(vek, (changed) => bothSay(report, changed));
    expect(taken.filter((at) => at > 0 && (at < signedEnd || at > signedEnd + 80))).toEqual([]);
  });

  it.each([
    ['genoa-v5', 'it wants zeros where version 5 has mitigation vectors'],
    ['siena-v5', 'it maps model 0xA0 to no product'],
    ['turin-v5', 'it knows no Turin'],
    ['milan-vlek-v3', 'it knows neither Milan nor VLEKs'],
  ])('Tinfoil’s verifier does not support %s: %s', async (name) => {
    const { evidence, options } = readVector(`hardware/${name}`);
    const { report, vek = new Uint8Array() } = evidence;
    expect(verify(evidence, options).claims.vmpl).toBeTypeOf('number');
    await expect(tinfoilVerifies(report, vek)).rejects.toThrow(/Unsupported|Invalid|Unknown/);
  });

  it('Tinfoil’s verifier trusts only AMD, as this library does', async () => {
    expect(() => verify(chain.evidence, { now: chain.now })).toThrow(
      expect.objectContaining({ code: 'vek-signature' }),
    );
    await expect(tinfoilVerifies(report, vek)).rejects.toThrow('Not signed by ASK');
  });
});
