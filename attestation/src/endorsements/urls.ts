/**
 * The URLs of AMD's key distribution service (KDS) (AMD 57230).
 *
 * Every URL is made of validated parts under a fixed base; none ever comes from evidence or from a
 * certificate.
 *
 * @module
 */

import type { Product } from '../report/product.ts';
import type { VekKind } from '../report/report-claims.ts';
import { type VcekRequest, vcekRequest } from './vcek-request.ts';

/** The key distribution service of AMD. */
export const KDS_URL = 'https://kdsintf.amd.com';

/**
 * DER of the certificate of one chip at one TCB.
 *
 * @throws as {@link vcekRequest} does.
 */
export function vcekUrl(request: VcekRequest, base: string = KDS_URL): string {
  const { product, chipId, tcb } = vcekRequest(request);
  const levels = [
    ...(tcb.fmc === undefined ? [] : [`fmcSPL=${level(tcb.fmc)}`]),
    `blSPL=${level(tcb.bl)}`,
    `teeSPL=${level(tcb.tee)}`,
    `snpSPL=${level(tcb.snp)}`,
    `ucodeSPL=${level(tcb.ucode)}`,
  ];
  return `${base}/vcek/v1/${product}/${chipId}?${levels.join('&')}`;
}

/** PEM of the intermediate (ASK, or ASVK for VLEKs), then of the root (ARK). */
export function certChainUrl(kind: VekKind, product: Product, base: string = KDS_URL): string {
  return `${base}/${kind.toLowerCase()}/v1/${product}/cert_chain`;
}

/** DER of the revocation list that the root issues. */
export function crlUrl(kind: VekKind, product: Product, base: string = KDS_URL): string {
  return `${base}/${kind.toLowerCase()}/v1/${product}/crl`;
}

/**
 * The base URL of a mirror, without a slash at its end.
 *
 * @throws RangeError unless it is `https:`, or `http:` on a loopback address, without credentials,
 * query and fragment: a revocation list could be withheld on an open path.
 */
export function mirrorUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && `${url.origin}${url.pathname}` === url.href;
  if (plain && (url.protocol === 'https:' || isLoopback(url))) return url.href.replace(/\/+$/, '');
  throw new RangeError(
    `Cannot use ${JSON.stringify(text)} as key distribution service: expected an https URL, or an http URL on a loopback address, without credentials and query.`,
  );
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}

/** Two digits or more, as other clients of the service write them. */
export function level(value: number): string {
  return String(value).padStart(2, '0');
}
