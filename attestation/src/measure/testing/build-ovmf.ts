/**
 * Small OVMF images for tests: a footer table, SEV metadata and pages that are otherwise empty.
 *
 * @module
 */
import { guidBytes } from '../ovmf/guid.ts';
import { type OvmfSection, SECTION_TYPES } from '../ovmf/ovmf-metadata.ts';

export const GUIDS = {
  footer: '96b582de-1fb2-45f7-baea-a366c55a082d',
  hashTable: '7255371f-3a3b-4b04-927b-1da6efa8d454',
  resetBlock: '00f771de-1a7e-4fcb-890e-68c77e2fb44e',
  metadata: 'dc886566-984a-4798-a75e-5585a7bf67cc',
  svsmInfo: 'a789a612-0597-4c4b-a49f-cbb1fe9d1ddd',
  /** Of a secret that is injected at launch; no concern of the digest. */
  secretBlock: '4c2eb361-7d9b-4cc3-8081-127c90d3d294',
} as const;

/** Sections, addresses and sizes of EDK II's AmdSevX64 build. */
export const AMD_SEV_SECTIONS: readonly OvmfSection[] = [
  { gpa: 0x800000, size: 0x9000, type: 'sec-mem' },
  { gpa: 0x80a000, size: 0x3000, type: 'sec-mem' },
  { gpa: 0x80d000, size: 0x1000, type: 'secrets' },
  { gpa: 0x80e000, size: 0x1000, type: 'cpuid' },
  { gpa: 0x80f000, size: 0x1000, type: 'svsm-caa' },
  { gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' },
  { gpa: 0x811000, size: 0xf000, type: 'sec-mem' },
];

export interface TableEntry {
  readonly guid: string;
  readonly data: Uint8Array;
}

export interface OvmfPlan {
  readonly pages?: number;
  /** What every byte of the first page is. */
  readonly fill?: number;
  readonly sections?: readonly {
    readonly gpa: number;
    readonly size: number;
    readonly type: number;
  }[];
  readonly hashTable?: { readonly gpa: number; readonly size: number } | undefined;
  readonly resetEip?: number;
  readonly extra?: readonly TableEntry[];
  /** Usual entries that are left out. */
  readonly without?: readonly string[];
  readonly metadataVersion?: number;
}

/** Little-endian words. */
export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  for (const [index, value] of values.entries()) {
    new DataView(bytes.buffer).setUint32(4 * index, value, true);
  }
  return bytes;
}

/** An image like EDK II's AmdSevX64, with the changes of the plan. */
export function buildOvmf(plan: OvmfPlan = {}): Uint8Array {
  const image = new Uint8Array((plan.pages ?? 2) * 4096);
  image.fill(plan.fill ?? 0x90, 0, 4096);
  const metadata = buildMetadata(plan);
  const start = image.length - 0x800;
  image.set(metadata, start);
  image.set(buildTable(entriesOf(plan)), image.length - 32 - tableSize(entriesOf(plan)));
  return image;
}

/** The table with its footer, as it stands 32 bytes before the end. */
export function buildTable(entries: readonly TableEntry[]): Uint8Array {
  const parts = [...entries, { guid: GUIDS.footer, data: new Uint8Array(0) }].map((entry) => {
    const length = entry.guid === GUIDS.footer ? tableSize(entries) : entry.data.length + 18;
    return [...entry.data, length & 0xff, length >> 8, ...guidBytes(entry.guid)];
  });
  return Uint8Array.from(parts.flat());
}

function tableSize(entries: readonly TableEntry[]): number {
  return entries.reduce((sum, { data }) => sum + data.length + 18, 18);
}

function entriesOf(plan: OvmfPlan): readonly TableEntry[] {
  const { gpa, size } = plan.hashTable ?? { gpa: 0x810c00, size: 0x400 };
  const usual = [
    { guid: GUIDS.metadata, data: words(0x800) },
    { guid: GUIDS.hashTable, data: words(gpa, size) },
    { guid: GUIDS.secretBlock, data: words(0x810000, 0xc00) },
    { guid: GUIDS.resetBlock, data: words(plan.resetEip ?? 0x80b004) },
  ];
  const { extra = [], without = [] } = plan;
  return [...extra, ...usual.filter(({ guid }) => !without.includes(guid))];
}

function buildMetadata(plan: OvmfPlan): Uint8Array {
  const sections =
    plan.sections ??
    AMD_SEV_SECTIONS.map((section) => ({ ...section, type: SECTION_TYPES[section.type] }));
  const items = sections.flatMap(({ gpa, size, type }) => [gpa, size, type]);
  const version = plan.metadataVersion ?? 1;
  return words(0x56455341, 16 + 12 * sections.length, version, sections.length, ...items);
}
