/**
 * The certificate table that a host hands to a guest along with a report (GHCB, extended guest
 * request; `auxblob` of Linux's configfs-tsm).
 *
 * Entries of 24 bytes, a GUID in text order and the offset and length of its data, end with one
 * of zeros. The host writes the table and nothing signs it.
 *
 * @module
 */
import { hexBytes } from '../certificates/hex-bytes.ts';
import { AttestationError, type AttestationErrorDetails } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { toHex } from '../hex.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { isZero } from '../report/field.ts';
import { type EntryName, entryContents, MOST_IN_ENTRY } from './entry-contents.ts';
import { certificatesOf, type EnvelopeCertificates, evidenceOf } from './evidence-of.ts';

const ENTRY_SIZE = 24;
const GUID_SIZE = 16;
const MAX_ENTRIES = 16;
const MAX_DATA_SIZE = 0x1_0000;
const MAX_TABLE_SIZE = (MAX_ENTRIES + 1) * MAX_DATA_SIZE;

const GUIDS: Readonly<Record<EntryName, string>> = {
  vcek: '63da758d-e664-4564-adc5-f4b93be8accd',
  vlek: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  ask: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  ark: 'c0b406a4-a803-4952-9743-3fb6014cd0ae',
  crl: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea',
};

const NAMES: ReadonlyMap<string, EntryName> = new Map(
  Object.entries(GUIDS).map(([name, guid]) => [guid, name as EntryName]),
);

/** An entry of a kind that this package does not know. */
export interface OtherEntry {
  readonly guid: string;
  readonly length: number;
}

/** What a table holds, DER each. */
export interface CertificateTable extends EnvelopeCertificates {
  readonly crl?: Uint8Array | undefined;
  readonly others: readonly OtherEntry[];
}

interface Entry {
  readonly guid: string;
  readonly offset: number;
  readonly length: number;
}

function malformed(message: string, details: AttestationErrorDetails = {}): AttestationError {
  return new AttestationError(
    'certificate-table-malformed',
    `the certificate table ${message}`,
    details,
  );
}

/**
 * Parses a certificate table.
 *
 * No bytes at all (a host that has no certificates leaves `auxblob` empty) and a table that starts
 * with the zeros that end it both hold nothing; fewer zeros than that are no table. Bytes that no
 * entry covers are padding and not looked at.
 *
 * Entries may be DER or PEM, and hosts fill them up: zeros behind DER, zeros and white space behind
 * PEM are left out. Where an authority belongs there may be a chain of two, since hosts put AMD's
 * `cert_chain` there: the second is `chained`.
 *
 * @throws AttestationError `certificate-table-malformed` for more than 16 entries, a missing end,
 *   data outside of the table, in its header or over another entry's, more than 64 KiB of it, a
 *   GUID that occurs twice, and an entry that is neither DER nor PEM or has too many blocks of it
 * @throws TypeError for anything but a Uint8Array
 */
export function parseCertificateTable(bytes: Uint8Array): CertificateTable {
  const table = ownedBytes(bytes, 'a certificate table');
  if (table.length > MAX_TABLE_SIZE) throw malformed(`is longer than ${MAX_TABLE_SIZE} bytes`);
  const entries = table.length === 0 ? [] : readHeader(table);
  checkPlaces(entries, table.length);
  const found = new Map<EntryName, Uint8Array[]>();
  const others: OtherEntry[] = [];
  for (const { guid, offset, length } of entries) {
    const name = NAMES.get(guid);
    const data = table.slice(offset, offset + length);
    if (name === undefined) others.push({ guid, length });
    else found.set(name, readData(name, data));
  }
  return { ...certificatesOf(found), others };
}

function readHeader(table: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  const view = new DataView(table.buffer);
  for (let at = 0; at + ENTRY_SIZE <= table.length; at += ENTRY_SIZE) {
    const entry = table.subarray(at, at + ENTRY_SIZE);
    if (isZero(entry)) return entries;
    if (entries.length === MAX_ENTRIES) throw malformed(`has more than ${MAX_ENTRIES} entries`);
    entries.push({
      guid: formatGuid(entry.subarray(0, GUID_SIZE)),
      offset: view.getUint32(at + GUID_SIZE, true),
      length: view.getUint32(at + GUID_SIZE + 4, true),
    });
  }
  throw malformed('has no end');
}

function formatGuid(bytes: Uint8Array): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function checkPlaces(entries: readonly Entry[], size: number): void {
  const guids = new Set<string>();
  let free = (entries.length + 1) * ENTRY_SIZE;
  for (const { guid, offset, length } of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (guids.has(guid)) throw malformed(`has ${guid} twice`);
    guids.add(guid);
    if (length > MAX_DATA_SIZE) throw malformed(`has more than ${MAX_DATA_SIZE} bytes of ${guid}`);
    if (offset < free) throw malformed(`has ${guid} over its header or another entry`);
    free = offset + length;
    if (free > size) throw malformed(`ends before the data of ${guid}`);
  }
}

function readData(name: EntryName, data: Uint8Array): Uint8Array[] {
  const ders = decode(name, data);
  if (ders === undefined) throw malformed(`has more than ${MOST_IN_ENTRY[name]} in its ${name}`);
  return ders;
}

function decode(name: EntryName, data: Uint8Array): Uint8Array[] | undefined {
  try {
    return entryContents(name, data);
  } catch (cause) {
    const expected = 'DER or PEM, with nothing but padding behind';
    throw malformed(`has neither DER nor PEM as ${name}`, { expected, cause });
  }
}

/** Certificates to put into a table, and a CRL. */
export type CertificateTableContents = Omit<CertificateTable, 'others' | 'chained'>;

/** Writes a certificate table: the inverse of {@link parseCertificateTable}, without padding. */
export function encodeCertificateTable(contents: CertificateTableContents): Uint8Array {
  const entries = (Object.keys(GUIDS) as EntryName[]).flatMap((name) => {
    const data = contents[name];
    return data === undefined ? [] : [{ guid: GUIDS[name], data }];
  });
  const headerSize = (entries.length + 1) * ENTRY_SIZE;
  const table = new Uint8Array(entries.reduce((size, { data }) => size + data.length, headerSize));
  const view = new DataView(table.buffer);
  let offset = headerSize;
  entries.forEach(({ guid, data }, index) => {
    table.set(hexBytes(guid.replaceAll('-', '')), index * ENTRY_SIZE);
    view.setUint32(index * ENTRY_SIZE + GUID_SIZE, offset, true);
    view.setUint32(index * ENTRY_SIZE + GUID_SIZE + 4, data.length, true);
    table.set(data, offset);
    offset += data.length;
  });
  return table;
}

/**
 * Evidence of a report and the certificate table beside it.
 *
 * Where the table has a VCEK and a VLEK, the one is taken that the report says signed it.
 *
 * @throws AttestationError `certificate-table-malformed`, as {@link parseCertificateTable} does;
 *   the report is looked at by verification
 * @throws TypeError for anything but a Uint8Array
 */
export function evidenceFromCertificateTable(report: Uint8Array, table: Uint8Array): Evidence {
  return evidenceOf(ownedBytes(report, 'a report'), parseCertificateTable(table));
}
