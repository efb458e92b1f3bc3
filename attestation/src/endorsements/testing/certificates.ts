/**
 * Unsigned endorsements that parse as AMD's do.
 *
 * @module
 */
import { createECDH } from 'node:crypto';
import { assemble, buildCaTbs, buildCrlTbs, buildVekTbs } from '../../certificates/build.ts';
import type { NameFields } from '../../certificates/name.ts';
import { encodePem } from '../../envelopes/encodings/pem.ts';
import type { Product } from '../../report/product.ts';
import type { VekKind } from '../../report/report-claims.ts';
import type { VcekRequest } from '../vcek-request.ts';

export const MILAN: VcekRequest = {
  product: 'Milan',
  chipId: '3a'.repeat(64),
  tcb: { bl: 4, tee: 0, snp: 24, ucode: 219 },
};

export const GENOA: VcekRequest = {
  product: 'Genoa',
  chipId: 'd2'.repeat(64),
  tcb: { bl: 10, tee: 0, snp: 25, ucode: 84 },
};

export const TURIN: VcekRequest = {
  product: 'Turin',
  chipId: '3b42092f69c656d3',
  tcb: { fmc: 1, bl: 1, tee: 1, snp: 4, ucode: 81 },
};

export const NOW = new Date('2026-03-01T12:00:00Z');

const SIGNATURE = new Uint8Array(512).fill(0x5a);
const MODULUS = new Uint8Array(512).fill(0xc3);
const DAY = 24 * 60 * 60 * 1000;

/** A certificate of the VCEK that answers a request. */
export function vcekDer(request: VcekRequest, validFrom = NOW): Uint8Array {
  return endorsementDer(
    { ...request, hwid: request.chipId, issuer: `SEV-${request.product}` },
    validFrom,
  );
}

/** A certificate of a VLEK. */
export function vlekDer(product: Product, issuer = `SEV-VLEK-${product}`): Uint8Array {
  return endorsementDer({ product, tcb: MILAN.tcb, hwid: null, issuer }, NOW);
}

interface EndorsementFields extends Omit<VcekRequest, 'chipId'> {
  readonly hwid: string | null;
  readonly issuer: string;
}

export function endorsementDer(
  { product, tcb, hwid, issuer }: EndorsementFields,
  validFrom = NOW,
): Uint8Array {
  const ecdh = createECDH('secp384r1');
  const tbs = buildVekTbs({
    issuer: name(issuer),
    subject: name(hwid === null ? 'SEV-VLEK' : 'SEV-VCEK'),
    serial: '00',
    notBefore: validFrom.getTime(),
    notAfter: validFrom.getTime() + 2555 * DAY,
    structVersion: tcb.fmc === undefined ? 0 : 1,
    productName: product,
    tcb,
    hwid,
    cspId: hwid === null ? 'CN=cc-us-east-2.amazonaws.com' : null,
    publicKey: { point: new Uint8Array(ecdh.generateKeys()) },
  });
  return assemble(tbs, SIGNATURE);
}

export interface CrlOptions {
  readonly product?: Product;
  readonly number?: bigint;
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
}

/** A revocation list of a root. */
export function crlDer({
  product = 'Milan',
  number = 4n,
  thisUpdate = new Date(NOW.getTime() - 30 * DAY),
  nextUpdate = new Date(NOW.getTime() + 300 * DAY),
}: CrlOptions = {}): Uint8Array {
  const tbs = buildCrlTbs({
    issuer: name(`ARK-${product}`),
    number,
    thisUpdate: thisUpdate.getTime(),
    nextUpdate: nextUpdate.getTime(),
    revoked: new Map(),
    authorityKeyId: '11'.repeat(20),
  });
  return assemble(tbs, SIGNATURE);
}

/** What the key distribution service publishes as `cert_chain`. */
export function chainPem(kind: VekKind, product: Product): Uint8Array {
  const root = `ARK-${product}`;
  const intermediate = kind === 'VCEK' ? `SEV-${product}` : `SEV-VLEK-${product}`;
  const pem = [caDer(intermediate, root), caDer(root, root)].map((der) =>
    encodePem('CERTIFICATE', der),
  );
  return new TextEncoder().encode(pem.join(''));
}

function caDer(subject: string, issuer: string): Uint8Array {
  const tbs = buildCaTbs({
    issuer: name(issuer),
    subject: name(subject),
    serial: '010001',
    notBefore: NOW.getTime(),
    notAfter: NOW.getTime() + 9000 * DAY,
    subjectKeyId: '22'.repeat(20),
    authorityKeyId: subject === issuer ? null : '11'.repeat(20),
    crlDistributionPoint: null,
    publicKey: { modulus: MODULUS },
  });
  return assemble(tbs, SIGNATURE);
}

function name(commonName: string): NameFields {
  return { organization: [{ type: 'O', value: 'Advanced Micro Devices' }], commonName };
}
