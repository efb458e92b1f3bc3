/**
 * The roots that replace AMD's pinned keys for the verification of simulated evidence.
 *
 * @module
 */
import { constants, createPublicKey, verify } from 'node:crypto';
import { type CaCertificate, parseCa } from '../../certificates/ca.ts';
import { rsaSubjectPublicKeyInfo } from '../../certificates/keys.ts';
import { formatName } from '../../certificates/name.ts';
import { decodePem, encodePem } from '../../envelopes/encodings/pem.ts';
import { AttestationError } from '../../errors.ts';
import type { Evidence } from '../../evidence.ts';
import { toHex } from '../../hex.ts';
import { AMD_ANCHORS } from '../../roots/amd.ts';
import type { CaAnchor, TrustAnchors } from '../../roots/anchors.ts';
import { nameOf, SIMULATED_NAMES, SIMULATED_ORGANIZATION } from '../authorities/names.ts';
import type { OpenedState } from '../state.ts';

const AUTHORITIES = ['ark', 'ask', 'asvk'] as const;

let make: (anchors: TrustAnchors, pem: string) => SimulatedRoots;

/** The anchors under roots: for the verification of simulated evidence alone. */
export let anchorsOf: (roots: SimulatedRoots) => TrustAnchors;

/**
 * The public certificates of one simulated chain, checked.
 *
 * Only {@link parseSimulatedRoots} and {@link simulatedRootsOf} make one, and nothing but the
 * verification of simulated evidence takes one.
 */
export class SimulatedRoots {
  readonly #anchors: TrustAnchors;
  /** The certificates: ARK, ASK and ASVK, as far as they are known. */
  readonly pem: string;

  private constructor(anchors: TrustAnchors, pem: string) {
    this.#anchors = anchors;
    this.pem = pem;
    Object.freeze(this);
  }

  static {
    make = (anchors, pem) => new SimulatedRoots(anchors, pem);
    anchorsOf = (roots) => roots.#anchors;
  }
}

/**
 * Reads the certificates of a simulated chain: ARK, ASK and, where reports may be signed by a VLEK,
 * ASVK, in this order.
 *
 * @param pem at most 128 KiB.
 * @throws {AttestationError} `pem-malformed`; `ca-encoding` for what is no certificate of an
 *   authority; `simulated-roots` unless they are these, named as simulated, signed by the first,
 *   and none with a key of AMD's.
 */
export function parseSimulatedRoots(pem: string | Uint8Array): SimulatedRoots {
  const certificates = decodePem(pem, 'CERTIFICATE');
  const [ark, ask, asvk, ...others] = certificates.map(parseCa);
  if (ark === undefined || ask === undefined || others.length > 0) {
    throw refused('there are not two or three certificates', {
      expected: 'ARK, ASK and ASVK',
      found: `${certificates.length}`,
    });
  }
  return rootsFrom({ ark, ask, asvk, any: ask }, certificates);
}

/**
 * The roots that came with simulated evidence, checked in the same way. They prove that it is
 * intact, and not which installation made it: any program can make a chain.
 *
 * @throws {AttestationError} `ca-encoding` and `simulated-roots`, as {@link parseSimulatedRoots};
 *   the latter also where root or intermediate did not come along
 */
export function simulatedRootsOf({ authorities = [] }: Evidence): SimulatedRoots {
  const [ark, ask, asvk] = AUTHORITIES.map((name) => {
    const subject = formatName(nameOf(name)).text;
    return authorities.find((der) => parseCa(der).subject.text === subject);
  });
  const any = ask ?? asvk;
  if (ark === undefined || any === undefined) {
    throw refused('they did not come along with the evidence', {
      expected: 'ARK and ASK, or ASVK',
    });
  }
  const present = [ark, ask, asvk].filter((der) => der !== undefined);
  return rootsFrom(
    {
      ark: parseCa(ark),
      ask: ask && parseCa(ask),
      asvk: asvk && parseCa(asvk),
      any: parseCa(any),
    },
    present,
  );
}

/** Authorities of one chain; an intermediate that is not there signed nothing. */
interface Chain {
  readonly ark: CaCertificate;
  readonly ask: CaCertificate | undefined;
  readonly asvk: CaCertificate | undefined;
  /** One of the two, in the place of the other: what stands under another name verifies nothing. */
  readonly any: CaCertificate;
}

function rootsFrom(chain: Chain, certificates: readonly Uint8Array[]): SimulatedRoots {
  const { ark, ask, asvk, any } = chain;
  for (const name of AUTHORITIES) {
    const certificate = chain[name];
    if (certificate !== undefined) checkAuthority(name, certificate, ark);
  }
  const authorities = {
    ark: anchorOf(ark),
    ask: anchorOf(ask ?? any),
    asvk: anchorOf(asvk ?? any),
  };
  const { organization } = formatName({ organization: SIMULATED_ORGANIZATION, commonName: '' });
  const anchors: TrustAnchors = {
    organization,
    vcekCommonName: SIMULATED_NAMES.vcek,
    vlekCommonName: SIMULATED_NAMES.vlek,
    products: { Milan: authorities, Genoa: authorities, Turin: authorities },
  };
  return make(anchors, certificates.map((der) => encodePem('CERTIFICATE', der)).join(''));
}

/** The roots of a processor's state. */
export function rootsOf({ ark, ask, asvk }: OpenedState): SimulatedRoots {
  const certificates = [ark, ask, asvk].map(({ certificate }) => certificate);
  return parseSimulatedRoots(certificates.map((der) => encodePem('CERTIFICATE', der)).join(''));
}

function checkAuthority(
  name: (typeof AUTHORITIES)[number],
  certificate: CaCertificate,
  ark: CaCertificate,
): void {
  checkName(`subject of the ${name.toUpperCase()}`, certificate.subject.text, name);
  checkName(`issuer of the ${name.toUpperCase()}`, certificate.issuer.text, 'ark');
  const modulus = toHex(certificate.publicKey.modulus);
  if (AMD_MODULI.has(modulus)) throw refused(`the ${name.toUpperCase()} has a key of AMD's`);
  const issuerKeyId = name === 'ark' ? null : ark.subjectKeyId;
  if (certificate.authorityKeyId !== issuerKeyId) {
    throw refused(`the ${name.toUpperCase()} names another key as its issuer's`, {
      expected: `${issuerKeyId}`,
      found: `${certificate.authorityKeyId}`,
    });
  }
  const key = createPublicKey({
    key: Buffer.from(rsaSubjectPublicKeyInfo(ark.publicKey)),
    format: 'der',
    type: 'spki',
  });
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  if (!verify('sha384', certificate.tbs, { key, padding, saltLength: 48 }, certificate.signature)) {
    throw refused(`the ARK did not sign the ${name.toUpperCase()}`);
  }
}

function checkName(what: string, found: string, name: keyof typeof SIMULATED_NAMES): void {
  const expected = formatName(nameOf(name)).text;
  if (found !== expected)
    throw refused(`the ${what} is not that of a simulation`, { expected, found });
}

const AMD_MODULI: ReadonlySet<string> = new Set(
  Object.values(AMD_ANCHORS.products).flatMap((product) =>
    AUTHORITIES.map((name) => toHex(product[name].modulus)),
  ),
);

function anchorOf({ subject, serial, notBefore, notAfter, publicKey }: CaCertificate): CaAnchor {
  const { commonName } = subject;
  return { commonName, serial, notBefore, notAfter, modulus: publicKey.modulus };
}

function refused(
  reason: string,
  details: { readonly expected?: string; readonly found?: string } = {},
): AttestationError {
  return new AttestationError('simulated-roots', `Cannot trust these simulated roots: ${reason}.`, {
    remedy: 'Get them from the installation whose evidence is to be verified.',
    ...details,
  });
}
