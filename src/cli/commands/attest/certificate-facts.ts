/**
 * The fields of an endorsement key's certificate, unverified.
 *
 * @module
 */
import type { Library } from './load-library.ts';

type Tcb = ReturnType<Library['parseVek']>['tcb'];

/** The fields of the certificate, or the reason for which it cannot be read. */
export type CertificateFacts =
  | {
      readonly kind: 'VCEK' | 'VLEK';
      readonly subject: string;
      readonly issuer: string;
      readonly productName: string;
      readonly tcb: Tcb;
      readonly hwid: string | null;
      readonly cspId: string | null;
      /** RFC 3339. */
      readonly notBefore: string;
      /** RFC 3339. */
      readonly notAfter: string;
    }
  | { readonly malformed: string; readonly message: string };

export function certificateFacts(library: Library, der: Uint8Array): CertificateFacts {
  try {
    const { kind, subject, issuer, productName, tcb, hwid, cspId, notBefore, notAfter } =
      library.parseVek(der);
    return {
      kind,
      subject: subject.text,
      issuer: issuer.text,
      productName,
      tcb,
      hwid,
      cspId,
      notBefore: new Date(notBefore).toISOString(),
      notAfter: new Date(notAfter).toISOString(),
    };
  } catch (error) {
    if (!(error instanceof library.AttestationError)) throw error;
    return { malformed: error.code, message: error.message };
  }
}
