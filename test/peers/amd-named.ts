/**
 * Evidence in a Genoa processor's format, under keys of a test: for comparing verifiers on reports
 * without a genuine specimen.
 *
 * The names are AMD's, since the peers look for them. The keys are those of the test vectors, which
 * no verifier trusts.
 *
 * @module
 */
import { createPublicKey } from 'node:crypto';
import { assemble, buildCaTbs, buildVekTbs } from '../../attestation/src/certificates/build.ts';
import { amd } from '../../attestation/src/certificates/testing/samples.ts';
import type { Evidence } from '../../attestation/src/evidence.ts';
import { toHex } from '../../attestation/src/hex.ts';
import { parseReport } from '../../attestation/src/report/parse.ts';
import { unverifiedClaims } from '../../attestation/src/report/parsed-report.ts';
import type { ReportClaims } from '../../attestation/src/report/report-claims.ts';
import { serializeReport } from '../../attestation/src/report/serialize.ts';
import { AMD_ANCHORS } from '../../attestation/src/roots/amd.ts';
import type { CaAnchor, TrustAnchors } from '../../attestation/src/roots/anchors.ts';
import { deriveP384Key, signReport } from '../../attestation/src/simulated/authorities/p384.ts';
import { signPss } from '../../attestation/src/simulated/authorities/pss.ts';
import { type Authority, openState } from '../../attestation/src/simulated/state.ts';
import { readVector, readVectorFile } from '../../attestation/src/testing/read-vectors.ts';

export interface AmdNamed {
  readonly evidence: Evidence & { readonly vek: Uint8Array };
  /** What our verification has to trust to take it. */
  readonly anchors: TrustAnchors;
  /** What a peer has to: DER. */
  readonly ark: Uint8Array;
  readonly ask: Uint8Array;
  /** A time at which everything is valid. */
  readonly now: Date;
}

const NOW = new Date();
const DAY = 86_400_000;
const SPAN = { notBefore: NOW.getTime() - DAY, notAfter: NOW.getTime() + 365 * DAY };

/** A Genoa report of version 3 for these REPORT_DATA, with its chain; each chip has its own key. */
export function amdNamedGenoa(reportData: string, chip = 'a chip'): AmdNamed {
  const { ark, ask } = openState(JSON.parse(readVectorFile('simulated/state.json')));
  const genuine = unverifiedClaims(parseReport(readVector('hardware/genoa-v5').evidence.report));
  const claims: ReportClaims = {
    ...genuine,
    version: 3,
    launchMitVector: null,
    currentMitVector: null,
    reportData,
  };
  const key = deriveP384Key(new Uint8Array(32), new TextEncoder().encode(chip));
  const report = serializeReport(claims);
  report.set(signReport(report.subarray(0, 0x2a0), key.privateKey), 0x2a0);
  const vekTbs = buildVekTbs({
    issuer: amd('SEV-Genoa'),
    subject: amd('SEV-VCEK'),
    serial: '00',
    ...SPAN,
    productName: 'Genoa',
    structVersion: 0,
    tcb: claims.reportedTcb,
    hwid: claims.chipId,
    cspId: null,
    publicKey: { point: key.publicPoint },
  });
  const genoa = {
    ark: anchorOf('ARK-Genoa', '020000', ark),
    ask: anchorOf('SEV-Genoa', '020002', ask),
    asvk: AMD_ANCHORS.products.Genoa.asvk,
  };
  return {
    evidence: { report, vek: assemble(vekTbs, signPss(vekTbs, ask.privateKey)) },
    anchors: { ...AMD_ANCHORS, products: { ...AMD_ANCHORS.products, Genoa: genoa } },
    ark: authorityCertificate(genoa.ark, ark, ark),
    ask: authorityCertificate(genoa.ask, ask, ark),
    now: NOW,
  };
}

function anchorOf(commonName: string, serial: string, authority: Authority): CaAnchor {
  return { commonName, serial, ...SPAN, modulus: modulusOf(authority) };
}

function modulusOf({ privateKey }: Authority): Uint8Array {
  const { n = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Uint8Array.from(Buffer.from(n, 'base64url'));
}

function authorityCertificate(anchor: CaAnchor, own: Authority, root: Authority): Uint8Array {
  const tbs = buildCaTbs({
    issuer: amd('ARK-Genoa'),
    subject: amd(anchor.commonName),
    serial: anchor.serial,
    ...SPAN,
    publicKey: { modulus: anchor.modulus },
    subjectKeyId: own.subjectKeyId,
    authorityKeyId: own === root ? null : root.subjectKeyId,
    crlDistributionPoint: 'https://kdsintf.amd.com/vcek/v1/Genoa/crl',
    trailerField: true,
  });
  return assemble(tbs, signPss(tbs, root.privateKey), true);
}

/** REPORT_DATA out of a text, 128 hexadecimal digits. */
export function reportDataOf(text: string): string {
  return toHex(new TextEncoder().encode(text)).padEnd(128, '0');
}
