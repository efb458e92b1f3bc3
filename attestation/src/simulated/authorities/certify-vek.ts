/**
 * Endorsement keys: derived as a processor derives them, certified as AMD's key distribution
 * service certifies them.
 *
 * @module
 */
import { assemble, buildVekTbs } from '../../certificates/build.ts';
import type { VekIdentity } from '../../certificates/vek-extensions.ts';
import type { Product } from '../../report/product.ts';
import type { VekKind } from '../../report/report-claims.ts';
import { encodeTcb, type Tcb, tcbLayoutOf } from '../../report/tcb.ts';
import type { OpenedState } from '../state.ts';
import { nameOf, SIMULATED_CSP_ID } from './names.ts';
import { deriveP384Key, type P384Key } from './p384.ts';
import { signPss } from './pss.ts';

export type { VekKind } from '../../report/report-claims.ts';

/** What a certificate is to say. */
export interface VekRequest extends VekIdentity {
  /** Which common name it gets. */
  readonly named: VekKind;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/**
 * The key of a TCB: always the same for a chip, a kind and a TCB, and never that of another.
 *
 * A VLEK is handed out by a cloud provider's service; here the installation is the provider.
 */
export function vekKey(
  secret: Uint8Array,
  kind: VekKind,
  { product, tcb }: { readonly product: Product; readonly tcb: Tcb },
): P384Key {
  const purpose = `a3s-box simulated ${kind} v1 ${product} ${kind === 'VLEK' ? SIMULATED_CSP_ID : ''}`;
  const version = encodeTcb(tcb, tcbLayoutOf(product));
  return deriveP384Key(secret, Buffer.concat([Buffer.from(`${purpose}\0`), version]));
}

/** Certifies a key, in DER: VCEKs by the ASK, VLEKs by the ASVK. */
export function certifyVek(request: VekRequest, key: P384Key, state: OpenedState): Uint8Array {
  const { named, notBefore, notAfter, ...identity } = request;
  const issuer = identity.kind === 'VCEK' ? 'ask' : 'asvk';
  const tbs = buildVekTbs({
    ...identity,
    issuer: nameOf(issuer),
    serial: '00',
    subject: nameOf(named === 'VCEK' ? 'vcek' : 'vlek'),
    notBefore,
    notAfter,
    publicKey: { point: key.publicPoint },
  });
  return assemble(tbs, signPss(tbs, state[issuer].privateKey));
}
