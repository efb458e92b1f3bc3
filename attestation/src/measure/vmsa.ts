/**
 * VMSA: the state in which a virtual machine monitor starts each vCPU, as it is measured.
 *
 * Offsets: AMD64 APM volume 2, table B-4. Values: what QEMU, EC2, GCE and libkrun set; everything
 * else of the page is zero.
 *
 * @module
 */
import { PAGE_SIZE } from './launch-digest.ts';

/** What differs from monitor to monitor. */
export interface VmsaProfile {
  /** Attributes of CS: of the first vCPU, and of the others. */
  readonly csAttributes: { readonly first: number; readonly others: number };
  readonly ssAttributes: number;
  readonly trAttributes: number;
  /** What RDX holds at reset, which says what processor this is. */
  readonly rdx: number;
  readonly gPat: bigint;
  /** 0x1f80 after a reset; 0 where the host's kernel does not hand the FPU's state over. */
  readonly mxcsr: number;
  /** 0x37f after a reset; 0 as with {@link mxcsr}. */
  readonly fcw: number;
}

/** What differs from vCPU to vCPU and from guest to guest. */
export interface VmsaState {
  /** The first of the guest's vCPUs, which boots the others. */
  readonly first: boolean;
  /** Where it starts, below 2^32. */
  readonly eip: number;
  /** SEV_FEATURES, 64 bits. */
  readonly sevFeatures: bigint;
  /** Set by libkrun alone, for the first vCPU. */
  readonly registers?: { readonly rsp: number; readonly rbp: number; readonly rsi: number };
}

/** Where every vCPU of a PC starts. */
export const RESET_VECTOR = 0xfffffff0;

interface Segment {
  readonly offset: number;
  readonly selector?: number;
  readonly attributes: number;
  readonly base?: number;
}

/** One VMSA page, 4096 bytes. */
export function vmsaPage(profile: VmsaProfile, state: VmsaState): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  for (const segment of segments(profile, state)) writeSegment(view, segment);
  writeControl(view);
  view.setUint32(0x178, state.eip & 0xffff, true);
  view.setBigUint64(0x268, profile.gPat, true);
  view.setUint32(0x310, profile.rdx, true);
  view.setBigUint64(0x3b0, state.sevFeatures, true);
  view.setUint32(0x408, profile.mxcsr, true);
  view.setUint16(0x410, profile.fcw, true);
  const { rsp, rbp, rsi } = state.registers ?? { rsp: 0, rbp: 0, rsi: 0 };
  view.setUint32(0x1d8, rsp, true);
  view.setUint32(0x328, rbp, true);
  view.setUint32(0x330, rsi, true);
  return page;
}

function segments(profile: VmsaProfile, state: VmsaState): readonly Segment[] {
  const { first, others } = profile.csAttributes;
  return [
    { offset: 0x00, attributes: 0x93 }, // ES
    {
      offset: 0x10, // CS
      selector: 0xf000,
      attributes: state.first ? first : others,
      base: (state.eip & 0xffff0000) >>> 0,
    },
    { offset: 0x20, attributes: profile.ssAttributes }, // SS
    { offset: 0x30, attributes: 0x93 }, // DS
    { offset: 0x40, attributes: 0x93 }, // FS
    { offset: 0x50, attributes: 0x93 }, // GS
    { offset: 0x60, attributes: 0 }, // GDTR
    { offset: 0x70, attributes: 0x82 }, // LDTR
    { offset: 0x80, attributes: 0 }, // IDTR
    { offset: 0x90, attributes: profile.trAttributes }, // TR
  ];
}

function writeSegment(view: DataView, segment: Segment): void {
  view.setUint16(segment.offset, segment.selector ?? 0, true);
  view.setUint16(segment.offset + 2, segment.attributes, true);
  view.setUint32(segment.offset + 4, 0xffff, true);
  view.setBigUint64(segment.offset + 8, BigInt(segment.base ?? 0), true);
}

function writeControl(view: DataView): void {
  view.setUint32(0xd0, 0x1000, true); // EFER: SVME
  view.setUint32(0x148, 0x40, true); // CR4: MCE
  view.setUint32(0x158, 0x10, true); // CR0: ET
  view.setUint32(0x160, 0x400, true); // DR7
  view.setUint32(0x168, 0xffff0ff0, true); // DR6
  view.setUint32(0x170, 0x2, true); // RFLAGS
  view.setUint32(0x3e8, 0x1, true); // XCR0
}
