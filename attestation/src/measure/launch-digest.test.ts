import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { type BlankPageType, LaunchDigest, PAGE_TYPE, sha384 } from './launch-digest.ts';

const PAGE = new Uint8Array(4096).fill(7);

describe('LaunchDigest', () => {
  it('starts a launch digest at zeros', () => {
    expect(toHex(new LaunchDigest().value())).toBe('00'.repeat(48));
  });

  it('hashes a PAGE_INFO for each page', () => {
    const info = new Uint8Array(0x70);
    info.set(sha384(PAGE), 48);
    info.set([0x70, 0, 1], 0x60);
    info.set([0x00, 0x50, 0x34, 0x12], 0x68);
    const expected = createHash('sha384').update(info).digest('hex');
    expect(toHex(new LaunchDigest().normal(0x12345000, PAGE).value())).toBe(expected);
  });

  it('measures many pages as one after the other', () => {
    const pages = new Uint8Array(8192).fill(1, 0, 4096);
    const both = new LaunchDigest().normal(0x1000, pages);
    const each = new LaunchDigest()
      .normal(0x1000, pages.subarray(0, 4096))
      .normal(0x2000, pages.subarray(4096));
    expect(both.value()).toEqual(each.value());
  });

  it('distinguishes page types in the launch digest', () => {
    const types: readonly BlankPageType[] = ['zero', 'unmeasured', 'secrets', 'cpuid'];
    const digests = types.map((type) => toHex(new LaunchDigest().blank(type, 0x1000).value()));
    expect(new Set(digests).size).toBe(4);
    expect(Object.values(PAGE_TYPE)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('continues a launch digest from a seed', () => {
    const start = new LaunchDigest().normal(0x1000, PAGE);
    const rest = new LaunchDigest(start.value()).blank('zero', 0x2000, 0x2000);
    expect(start.blank('zero', 0x2000, 0x2000).value()).toEqual(rest.value());
  });

  it('measures a vCPU by the hash of its VMSA page', () => {
    const first = new LaunchDigest().vmsa(sha384(PAGE));
    expect(toHex(first.value())).not.toBe(toHex(new LaunchDigest().normal(0, PAGE).value()));
  });

  it('returns a copy of the launch digest', () => {
    const digest = new LaunchDigest();
    digest.value().fill(1);
    expect(toHex(digest.value())).toBe('00'.repeat(48));
  });

  it('refuses to measure partial pages, and seeds of another length', () => {
    expect(() => new LaunchDigest(new Uint8Array(32))).toThrow(RangeError);
    expect(() => new LaunchDigest().normal(0, new Uint8Array(4095))).toThrow(RangeError);
    expect(() => new LaunchDigest().blank('zero', 0, 1)).toThrow(RangeError);
  });
});
