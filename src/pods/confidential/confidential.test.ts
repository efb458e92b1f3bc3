import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { testContainer } from '../testing/definitions.ts';
import { containerDisks } from './container-disks.ts';
import { expectPlainPod, expectPodPermits, podPermits } from './host-may.ts';
import { decodeLaunchSpec, encodeLaunchSpec } from './launch-spec-annotation.ts';
import { expectNamed } from './request-container.ts';

const VECTOR = new URL('../../../test/vectors/pod-launch-spec/full.json', import.meta.url);
const { text, digest } = JSON.parse(readFileSync(VECTOR, 'utf8')) as Record<string, string>;
const TEXT = Buffer.from(text ?? '', 'base64').toString();
const SPEC = decodeLaunchSpec(encodeLaunchSpec(TEXT)).spec;
const POD = {
  id: 'p',
  confidential: { tee: 'simulated', launchSpec: TEXT, specDigest: digest ?? '' },
} as const;

describe('the annotation with a launch spec', () => {
  it('reads the annotation as it was written, with the digest of its text', () => {
    const read = decodeLaunchSpec(encodeLaunchSpec(TEXT));
    expect(read).toMatchObject({ text: TEXT, digest });
  });

  it.each([
    ['no gzip', Buffer.from(TEXT).toString('base64')],
    ['another text', gzipSync(`${TEXT} `).toString('base64')],
    ['a box', gzipSync('{"schema":"a3s-box/launch-spec/v1"}').toString('base64')],
    ['a bomb', gzipSync(Buffer.alloc(5 * 2 ** 20)).toString('base64')],
    ['nothing', ''],
  ])('refuses an annotation that has %s', (_, encoded) => {
    expect(() => decodeLaunchSpec(encoded)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

describe('what a launch spec permits the host of a pod', () => {
  it('permits what is named, and everything in a plain pod', () => {
    expect(podPermits(POD, 'exec')).toBe(true);
    expect(podPermits(POD, 'attach', 'logs')).toBe(true);
    expect(podPermits(POD, 'stats')).toBe(false);
    expect(podPermits({}, 'stats')).toBe(true);
    expect(() => expectPodPermits(POD, 'count what uses', 'stats')).toThrow(
      expect.objectContaining({ code: 'host-not-permitted' }),
    );
    expect(() => expectPlainPod(POD, 'forward ports of', 'why')).toThrow(
      expect.objectContaining({ code: 'unsupported-option' }),
    );
    expectPlainPod({ id: 'p' }, 'forward ports of', 'why');
  });
});

describe('a container that a launch spec names', () => {
  const [db] = SPEC.containers;
  const { image } = testContainer('c', 'p');
  const named = testContainer('c', 'p', {
    metadata: { name: 'db', attempt: 0 },
    image: { ...image, manifestDigest: db?.image.manifestDigest ?? '' },
    process: { args: ['/x'], env: [], cwd: '/', user: '', terminal: false, stdin: false },
    confinement: {
      ...{ capabilities: [], noNewPrivileges: true, seccomp: 'default' },
      ...{ maskedPaths: [], readonlyPaths: [] },
    },
  });

  it('takes a container with a PID namespace of its own, and with no other', () => {
    expectNamed(SPEC, named);
    for (const pids of [{ kind: 'pod' }, { kind: 'container', id: 'c' }] as const) {
      expect(() => expectNamed(SPEC, { ...named, pids })).toThrow(
        expect.objectContaining({
          code: 'unsupported-option',
          message: expect.stringContaining('a PID namespace that is shared'),
          remedy: expect.stringContaining('CONTAINER'),
        }),
      );
    }
  });
});

describe('the disks of a container', () => {
  const layersOf = (name: string) =>
    (SPEC.containers.find((each) => each.name === name)?.rootfs.layers ?? []).map(
      (layer, index) => ({ ...layer, path: `/layer-${index}` }),
    );

  it('gives disks the serials that the guest looks for', () => {
    const layers = layersOf('web') as never;
    expect(containerDisks(SPEC, 'web', layers)).toEqual({
      name: 'c1',
      disks: [
        { path: '/layer-0', serial: 'c1-l0', readonly: true },
        { path: '/layer-1', serial: 'c1-l1', readonly: true },
      ],
    });
  });

  it('refuses layers that the launch spec does not name, and a container that it does not', () => {
    const [first, second] = layersOf('web') as never[];
    for (const layers of [[first], [second, first], []] as never[]) {
      expect(() => containerDisks(SPEC, 'web', layers)).toThrow(
        expect.objectContaining({ code: 'verity-mismatch' }),
      );
    }
    expect(() => containerDisks(SPEC, 'miner', [])).toThrow(
      expect.objectContaining({ code: 'host-not-permitted' }),
    );
  });
});
