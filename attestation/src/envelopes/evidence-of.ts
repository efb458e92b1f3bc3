/**
 * Makes evidence from the contents of an envelope.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import { fieldUint32 } from '../report/field.ts';
import { SIGNING_KEY_VLEK, signingKeyBits } from '../report/key-info.ts';
import { FIELDS, REPORT_SIZE } from '../report/layout.ts';

/** DER of the certificates that came along with a report, by their names in envelopes. */
export interface EnvelopeCertificates {
  readonly vcek?: Uint8Array | undefined;
  readonly vlek?: Uint8Array | undefined;
  /** ASK or ASVK. */
  readonly ask?: Uint8Array | undefined;
  readonly ark?: Uint8Array | undefined;
  /** Authorities that stood behind another one in its entry, in order; absent where none did. */
  readonly chained?: readonly Uint8Array[] | undefined;
}

/** Of what each entry holds, the first under its name. */
export function certificatesOf<Name extends string>(
  entries: ReadonlyMap<Name, readonly Uint8Array[]>,
): { readonly [name in Name]?: Uint8Array } & Pick<EnvelopeCertificates, 'chained'> {
  const first = [...entries].map(([name, [der]]) => [name, der]);
  const chained = [...entries.values()].flatMap(([, ...more]) => more);
  return { ...Object.fromEntries(first), ...(chained.length === 0 ? {} : { chained }) };
}

/**
 * Puts a report and its certificates together.
 *
 * Of a VCEK and a VLEK the one is taken that the report says signed it. That is no claim yet:
 * verification compares the two once the report is verified.
 */
export function evidenceOf(report: Uint8Array, certificates: EnvelopeCertificates): Evidence {
  const { vcek, vlek, ask, ark, chained = [] } = certificates;
  return {
    report,
    vek: saysVlek(report) ? (vlek ?? vcek) : (vcek ?? vlek),
    authorities: [ask, ark, ...chained].filter((authority) => authority !== undefined),
  };
}

function saysVlek(report: Uint8Array): boolean {
  return (
    report.length === REPORT_SIZE &&
    signingKeyBits(fieldUint32(report, FIELDS.KEY_INFO)) === SIGNING_KEY_VLEK
  );
}
