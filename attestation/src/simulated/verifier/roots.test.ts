import { describe, expect, it } from 'vitest';
import { assemble, buildCaTbs, type CaFields } from '../../certificates/build.ts';
import { parseCa } from '../../certificates/ca.ts';
import { decodePem, encodePem } from '../../envelopes/encodings/pem.ts';
import { AttestationError } from '../../errors.ts';
import { AMD_ANCHORS } from '../../roots/amd.ts';
import { readVectorFile } from '../../testing/read-vectors.ts';
import { nameOf, SIMULATED_CRL_URLS, SIMULATED_SERIALS } from '../authorities/names.ts';
import { signPss } from '../authorities/pss.ts';
import { openState } from '../state.ts';
import { NOW, REPORT_DATA, testGuest, testProcessor, testState } from '../testing/guest.ts';
import { anchorsOf, parseSimulatedRoots, SimulatedRoots, simulatedRootsOf } from './roots.ts';
import { verifySimulated } from './verify-simulated.ts';

const CHAIN = openState(testState());
const pem = (...certificates: Uint8Array[]) =>
  certificates.map((der) => encodePem('CERTIFICATE', der)).join('');
const { ark, ask, asvk } = CHAIN;

function refusal(text: string | Uint8Array): AttestationError {
  try {
    parseSimulatedRoots(text);
  } catch (error) {
    if (error instanceof AttestationError) return error;
  }
  throw new Error('the roots were taken');
}

/** The ASK's certificate with some fields changed, signed by the ARK or another. */
function forged(fields: Partial<CaFields>, signer: 'ark' | 'ask' = 'ark'): Uint8Array {
  const { publicKey, subjectKeyId, notBefore, notAfter } = parseCa(ask.certificate);
  const tbs = buildCaTbs({
    issuer: nameOf('ark'),
    subject: nameOf('ask'),
    serial: SIMULATED_SERIALS.ask,
    notBefore,
    notAfter,
    publicKey,
    subjectKeyId,
    authorityKeyId: ark.subjectKeyId,
    crlDistributionPoint: SIMULATED_CRL_URLS.vcek,
    ...fields,
  });
  return assemble(tbs, signPss(tbs, CHAIN[signer].privateKey));
}

describe('parseSimulatedRoots', () => {
  it('reads the roots of a simulated processor, and prints them again', () => {
    const text = readVectorFile('roots.pem');
    const roots = parseSimulatedRoots(text);
    expect(roots).toBeInstanceOf(SimulatedRoots);
    expect(roots.pem).toBe(text);
    expect(parseSimulatedRoots(new TextEncoder().encode(text)).pem).toBe(text);
    expect(testProcessor().roots().pem).toBe(text);
    expect(Object.isFrozen(roots)).toBe(true);
  });

  it('uses one simulated chain for all products', () => {
    const { products, ...names } = anchorsOf(testProcessor().roots());
    expect(names).toEqual({
      organization: 'OU=Simulation, C=ZZ, L=Nowhere, ST=None, O=A3S Box SIMULATED NOT HARDWARE',
      vcekCommonName: 'SIMULATED-VCEK',
      vlekCommonName: 'SIMULATED-VLEK',
    });
    expect(products.Milan).toBe(products.Genoa);
    expect(products.Milan).toBe(products.Turin);
    expect(products.Milan.ark).toMatchObject({ commonName: 'SIMULATED-ARK', serial: '5a0000' });
    expect(products.Milan.ask).toMatchObject({ commonName: 'SIMULATED-ASK', serial: '5a0001' });
    expect(products.Milan.asvk.modulus).toEqual(parseCa(asvk.certificate).publicKey.modulus);
  });

  it('refuses simulated roots with another number of certificates', () => {
    const all = [ark, ask, asvk].map(({ certificate }) => certificate);
    for (const certificates of [all.slice(0, 1), [...all, ...all]]) {
      const error = refusal(pem(...certificates));
      expect(error.code).toBe('simulated-roots');
      expect(error.found).toBe(`${certificates.length}`);
    }
  });

  it('reads simulated roots without the authority over VLEKs', () => {
    const { products } = anchorsOf(parseSimulatedRoots(pem(ark.certificate, ask.certificate)));
    expect(products.Milan.asvk).toEqual(products.Milan.ask);
  });

  it('refuses simulated roots that are no PEM or no CA certificates', () => {
    expect(refusal('').code).toBe('pem-malformed');
    expect(refusal(pem(testProcessor().vcek())).code).toBe('ca-encoding');
  });

  it('refuses simulated roots in another order', () => {
    const error = refusal(pem(ark.certificate, asvk.certificate, ask.certificate));
    expect(error).toMatchObject({ code: 'simulated-roots' });
    expect(error.expected).toMatch('CN=SIMULATED-ASK');
    expect(error.found).toMatch('CN=SIMULATED-ASVK');
  });

  it("refuses AMD's own certificates as simulated roots", () => {
    const names = ['milan_ark', 'milan_ask', 'milan_asvk'];
    const text = names.map((name) => readVectorFile(`amd/${name}.pem`)).join('');
    expect(refusal(text)).toMatchObject({
      code: 'simulated-roots',
      message: expect.stringContaining('the subject of the ARK is not that of a simulation'),
    });
  });

  it("refuses AMD's keys under simulated names", () => {
    const { modulus } = AMD_ANCHORS.products.Genoa.ask;
    const error = refusal(
      pem(ark.certificate, forged({ publicKey: { modulus } }), asvk.certificate),
    );
    expect(error).toMatchObject({
      code: 'simulated-roots',
      message: expect.stringContaining("the ASK has a key of AMD's"),
    });
  });

  it('refuses a simulated authority that the root did not sign, or that names another key', () => {
    const self = refusal(pem(ark.certificate, forged({}, 'ask'), asvk.certificate));
    expect(self.message).toMatch('the ARK did not sign the ASK');
    const foreign = forged({ authorityKeyId: '00'.repeat(20) });
    const other = refusal(pem(ark.certificate, foreign, asvk.certificate));
    expect(other.message).toMatch("the ASK names another key as its issuer's");
    const own = { subject: nameOf('ark'), publicKey: parseCa(ark.certificate).publicKey };
    const below = refusal(pem(forged(own), ask.certificate, asvk.certificate));
    expect(below).toMatchObject({ code: 'simulated-roots', expected: 'null' });
    const issuer = forged({ issuer: nameOf('asvk') });
    expect(refusal(pem(ark.certificate, issuer, asvk.certificate)).found).toMatch('SIMULATED-ASVK');
    expect([self, other].map(({ code }) => code)).toEqual(['simulated-roots', 'simulated-roots']);
  });
});

describe('simulatedRootsOf', () => {
  const evidenceOf = (...authorities: Uint8Array[]) => ({ report: new Uint8Array(), authorities });

  it.each(['VCEK', 'VLEK'] as const)(
    'takes the simulated roots from the evidence that a %s signed',
    (signingKey) => {
      const { evidence } = testGuest().report({ reportData: REPORT_DATA, signingKey });
      const report = verifySimulated(evidence, simulatedRootsOf(evidence), { now: NOW });
      expect(report.claims.keyInfo.signingKey).toBe(signingKey);
      expect(simulatedRootsOf(evidence).pem).toContain('BEGIN CERTIFICATE');
    },
  );

  it('refuses to take simulated roots from an incomplete chain', () => {
    const { certificate } = ark;
    const report = new Uint8Array();
    for (const evidence of [{ report }, evidenceOf(certificate), evidenceOf(ask.certificate)]) {
      expect(() => simulatedRootsOf(evidence)).toThrow(
        expect.objectContaining({ code: 'simulated-roots' }),
      );
    }
  });

  it("refuses to take AMD's authorities, and one that the root did not sign, as simulated roots", () => {
    const stranger = forged({}, 'ask');
    expect(() => simulatedRootsOf(evidenceOf(ark.certificate, stranger))).toThrow(
      expect.objectContaining({ code: 'simulated-roots' }),
    );
    const [amd] = decodePem(readVectorFile('amd/milan_ark.pem'), 'CERTIFICATE');
    expect(() => simulatedRootsOf(evidenceOf(amd ?? stranger))).toThrow(
      expect.objectContaining({ code: 'simulated-roots' }),
    );
  });
});
