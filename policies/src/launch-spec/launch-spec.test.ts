import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaunchSpec, launchSpecText, MAX_LAUNCH_SPEC } from './launch-spec.ts';
import { LaunchSpecError, parseLaunchSpec } from './parse-launch-spec.ts';

const VECTORS = new URL('../../../test/vectors/launch-spec/', import.meta.url);

interface Vector {
  readonly name: string;
  readonly text: string;
  readonly digest: string;
  readonly expected: 'accepted' | 'launch-spec-malformed';
}

const vectors = readdirSync(VECTORS).map(
  (file) => JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8')) as Vector,
);
const bytesOf = ({ text }: Vector): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

function vector(name: string): Uint8Array {
  const found = vectors.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return bytesOf(found);
}

function outcome(bytes: Uint8Array): string {
  try {
    parseLaunchSpec(bytes);
    return 'accepted';
  } catch (error) {
    if (error instanceof LaunchSpecError) return error.code;
    throw error;
  }
}

function reasonOf(bytes: Uint8Array): string {
  try {
    parseLaunchSpec(bytes);
  } catch (error) {
    if (error instanceof LaunchSpecError) return error.message;
    throw error;
  }
  return '';
}

const FULL = parseLaunchSpec(vector('full'));
const OWN_PROFILE = parseLaunchSpec(vector('seccomp-own')).confinement;

describe('parseLaunchSpec', () => {
  it.each(vectors.map((each) => [each.name, each] as const))(
    'decides the launch spec %s as its vector says',
    (_, each) => {
      const bytes = bytesOf(each);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(each.digest);
      expect(outcome(bytes)).toBe(each.expected);
    },
  );

  it.each([
    ['one-space', 'not in canonical form'],
    ['unsorted', 'not in canonical form'],
    ['duplicate', 'not in canonical form'],
    ['exponent', 'not in canonical form'],
    ['not-utf-8', 'not UTF-8'],
    ['encoded-surrogate', 'not UTF-8'],
    ['byte-order-mark', 'not JSON'],
    ['escaped-surrogate', 'not in canonical form'],
    ['unknown-member', 'shares'],
    ['prototype', 'Unrecognized key: "__proto__"'],
    ['secrets-unsorted', 'sorted by name'],
    ['no-injector', 'must name injectors, or allow any'],
    ['variable-twice', 'a variable of its own'],
    ['device-rules-misc', 'must open no device by which the box could reach its guest'],
    ['seccomp-missing', 'must be there for the profile of that name'],
    ['seccomp-decimal-zero', 'must have numbers in one spelling'],
    ['changes-bytes-half', 'must be at most half of resources.memoryBytes'],
    ['odd-layer', 'rootfs.layers.0.bytes: must be a multiple of 4096'],
  ])('refuses the launch spec %s with the reason: %s', (name, reason) => {
    expect(reasonOf(vector(name))).toContain(reason);
  });

  it('refuses a launch spec that is longer than the agent accepts', () => {
    expect(reasonOf(new Uint8Array(MAX_LAUNCH_SPEC + 1))).toContain('longer than 4194304 bytes');
    expect(reasonOf(new Uint8Array(MAX_LAUNCH_SPEC))).toContain('not JSON');
  });

  it(
    'parses no other text of a launch spec than its canonical one',
    () => {
      const text = new TextDecoder().decode(vector('full'));
      const edit = fc.record({
        at: fc.nat(text.length),
        cut: fc.nat(3),
        put: fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom(' ', '\n', '\\u0061', '"', ',')),
      });
      return fuzz(
        fc.property(edit, ({ at, cut, put }) => {
          const bytes = new TextEncoder().encode(text.slice(0, at) + put + text.slice(at + cut));
          if (outcome(bytes) === 'accepted') {
            expect(launchSpecText(parseLaunchSpec(bytes))).toBe(new TextDecoder().decode(bytes));
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it.each(['capabilities', 'args', 'cwd', 'user', 'layers', 'secrets', 'injectors'])(
    'refuses a launch spec with %s whose length is no number',
    (member) => {
      const text = JSON.stringify(FULL, (key, value: unknown) =>
        key === member ? { length: { toString: 0, valueOf: 0 } } : value,
      );
      expect(() => parseLaunchSpec(new TextEncoder().encode(text))).toThrow(
        expect.objectContaining({ code: 'launch-spec-malformed' }),
      );
    },
  );

  it(
    'parses any bytes as a launch spec, or throws a LaunchSpecError',
    () => fuzz(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void outcome(bytes))),
    FUZZ_TIMEOUT,
  );
});

describe('launchSpecText', () => {
  it('writes a launch spec back byte for byte as it was read', () => {
    for (const each of vectors.filter(({ expected }) => expected === 'accepted')) {
      const bytes = bytesOf(each);
      expect(new TextEncoder().encode(launchSpecText(parseLaunchSpec(bytes)))).toEqual(bytes);
    }
  });

  it('writes another text when any field of the launch spec differs', () => {
    const others: LaunchSpec[] = [
      { ...FULL, deployment: 'test' },
      { ...FULL, image: { manifestDigest: `sha256:${'0'.repeat(64)}` } },
      { ...FULL, hostname: 'other' },
      { ...FULL, rootfs: { ...FULL.rootfs, layers: [...FULL.rootfs.layers].reverse() } },
      { ...FULL, rootfs: { ...FULL.rootfs, changes: 'encrypted-disk' } },
      { ...FULL, process: { ...FULL.process, terminal: true } },
      { ...FULL, stopSignal: 'SIGINT' },
      { ...FULL, network: 'none' },
      { ...FULL, confinement: { ...FULL.confinement, seccomp: 'unconfined' } },
      { ...FULL, confinement: { ...FULL.confinement, ...OWN_PROFILE } },
      { ...FULL, confinement: { ...FULL.confinement, devices: ['fuse'] } },
      {
        ...FULL,
        confinement: {
          ...FULL.confinement,
          deviceRules: [{ kind: 'char', major: 188, access: 'r' }],
        },
      },
      { ...FULL, rootfs: { ...FULL.rootfs, changesBytes: 2 ** 25 } },
      { ...FULL, resources: {} },
      { ...FULL, directories: ['/data'] },
      {
        ...FULL,
        tmpfs: [{ destination: '/run', readonly: false, sizeBytes: 4096, flags: ['exec'] }],
      },
      { ...FULL, shmBytes: 4096 },
      { ...FULL, hosts: [{ name: 'db', address: '10.1.2.3' }] },
      { ...FULL, resolver: { nameservers: ['9.9.9.9'] } },
      { ...FULL, hostNetworks: 1 },
      { ...FULL, hostMay: [] },
      { ...FULL, secrets: [] },
      { ...FULL, secretsDeadline: 601 },
    ];
    const texts = [FULL, ...others].map((spec) => launchSpecText(LaunchSpec.parse(spec)));
    expect(new Set(texts).size).toBe(others.length + 1);
  });
});
