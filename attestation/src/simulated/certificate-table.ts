/**
 * Writes the certificate table that a host hands over with a report (GHCB, SNP extended guest
 * request; `auxblob` of configfs-tsm).
 *
 * @module
 */

/** Which certificate an entry holds. */
export const CERTIFICATE_GUIDS = {
  VCEK: '63da758d-e664-4564-adc5-f4b93be8accd',
  VLEK: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  ASK: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  ARK: 'c0b406a4-a803-4952-9743-3fb6014cd0ae',
} as const;

const ENTRY_BYTES = 24;

/** One certificate of a table. */
export interface CertificateTableEntry {
  readonly kind: keyof typeof CERTIFICATE_GUIDS;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** The table: a header of GUID, offset and length, ended by a zero entry, then the certificates. */
export function encodeCertificateTable(entries: readonly CertificateTableEntry[]): Uint8Array {
  const header = (entries.length + 1) * ENTRY_BYTES;
  const size = entries.reduce((sum, { certificate }) => sum + certificate.length, header);
  const table = new Uint8Array(size);
  const view = new DataView(table.buffer);
  let offset = header;
  for (const [index, { kind, certificate }] of entries.entries()) {
    const at = index * ENTRY_BYTES;
    table.set(Buffer.from(CERTIFICATE_GUIDS[kind].replaceAll('-', ''), 'hex'), at);
    view.setUint32(at + 16, offset, true);
    view.setUint32(at + 20, certificate.length, true);
    table.set(certificate, offset);
    offset += certificate.length;
  }
  return table;
}
