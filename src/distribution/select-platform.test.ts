import { describe, expect, it } from 'vitest';
import type { Index } from '../oci/manifest.ts';
import { choosePlatform, selectPlatform } from './select-platform.ts';

const HOST = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const NESTED = 'application/vnd.oci.image.index.v1+json';

/** An index with one image for each platform. The digits of an image's digest are its position. */
function indexOf(...platforms: readonly (string | undefined)[]): Index {
  return {
    schemaVersion: 2,
    manifests: platforms.map((text, position) => {
      const [os = '', architecture = '', variant] = (text ?? '').split('/');
      const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
      return {
        mediaType: MANIFEST,
        digest: `sha256:${String(position).repeat(64)}`,
        size: 1,
        ...(text === undefined ? {} : { platform }),
      };
    }),
  };
}

function selected(index: Index, wanted?: string, host = HOST): string {
  const { digest } = selectPlatform(index, choosePlatform(wanted, host), 'app:1');
  return digest.slice(7, 8);
}

describe('a platform', () => {
  it.each([
    [undefined, { ...HOST, variant: '' }],
    ['', { ...HOST, variant: '' }],
    ['linux', { ...HOST, variant: '' }],
    ['amd64', { ...HOST, variant: '' }],
    ['x86_64', { ...HOST, variant: '' }],
    ['Linux/AMD64', { ...HOST, variant: '' }],
    ['linux/amd64/v1', { ...HOST, variant: '' }],
    ['linux/amd64/v3', { ...HOST, variant: 'v3' }],
  ])('parses the platform %s', (text, platform) => {
    expect(choosePlatform(text, HOST)).toEqual(platform);
  });

  it('lets this host pull for arm64, which it emulates, and arm64 not for amd64', () => {
    expect(choosePlatform('linux/arm64/v8', HOST)).toEqual({ ...ARM, variant: '' });
    expect(choosePlatform('aarch64', HOST)).toEqual({ ...ARM, variant: '' });
    expect(() => choosePlatform('amd64', ARM)).toThrow(/boxes on this host are linux\/arm64/);
  });

  it.each(['linux/arm', 'windows/amd64', 'windows', 'linux/386'])(
    'refuses the platform %s on this host by name',
    (text) => {
      expect(() => choosePlatform(text, HOST)).toThrow(/boxes on this host are linux\/amd64/);
    },
  );

  it.each(['a/b/c/d', '../x', 'linux/', 'li nux'])('refuses %s as a platform', (text) => {
    expect(() => choosePlatform(text, HOST)).toThrow(/as a platform/);
  });
});

describe('an index', () => {
  it('selects the image of the platform from an index, however it is spelt', () => {
    expect(selected(indexOf('linux/arm64', 'linux/x86_64'))).toBe('1');
    expect(selected(indexOf('linux/amd64/v2', 'linux/amd64/v1'))).toBe('1');
    expect(selected(indexOf('linux/amd64', 'linux/arm64/v8'), undefined, ARM)).toBe('1');
    expect(selected(indexOf('linux/amd64', 'linux/aarch64'), undefined, ARM)).toBe('1');
  });

  it('selects the best image variant up to the requested one', () => {
    const all = indexOf('linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3');
    expect(selected(all, 'linux/amd64/v3')).toBe('2');
    expect(selected(all, 'linux/amd64/v4')).toBe('2');
    expect(selected(all, 'linux/amd64/v2')).toBe('1');
    expect(selected(all)).toBe('0');
  });

  it('selects no image for newer processors than requested', () => {
    expect(() => selected(indexOf('linux/amd64/v3'))).toThrow(/only for linux\/amd64\/v3/);
  });

  it('never selects or mentions attestations in an index', () => {
    expect(() => selected(indexOf('unknown/unknown'))).toThrow(/no image for linux\/amd64$/);
    expect(selected(indexOf('unknown/unknown', 'linux/amd64'))).toBe('1');
  });

  it('selects the only image of an index when its platform is not given', () => {
    expect(selected(indexOf(undefined))).toBe('0');
    expect(() => selected(indexOf(undefined, undefined))).toThrow(/no image/);
  });

  it('follows no nested index', () => {
    const index = indexOf('linux/amd64');
    const nested = index.manifests.map((entry) => ({ ...entry, mediaType: NESTED }));
    expect(() => selected({ ...index, manifests: nested })).toThrow(/no image/);
  });
});
