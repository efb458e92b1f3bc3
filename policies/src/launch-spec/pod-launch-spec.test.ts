import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { ContainerRequest, decideContainer } from './container-request.ts';
import {
  LaunchSpecError,
  parseAnyLaunchSpec,
  parseLaunchSpec,
  parsePodLaunchSpec,
} from './parse-launch-spec.ts';
import { PodLaunchSpec, podLaunchSpecText } from './pod-launch-spec.ts';

function vectorsOf<T>(directory: string): T[] {
  const folder = new URL(`../../../test/vectors/${directory}/`, import.meta.url);
  return readdirSync(folder).map(
    (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as T,
  );
}

interface SpecVector {
  readonly name: string;
  readonly text: string;
  readonly digest: string;
  readonly expected: 'accepted' | 'launch-spec-malformed';
}

interface RequestVector {
  readonly name: string;
  readonly request: unknown;
  readonly expected: string;
  readonly chosenEnv?: readonly string[];
}

const specs = vectorsOf<SpecVector>('pod-launch-spec');
const requests = vectorsOf<RequestVector>('container-request');
const bytesOf = ({ text }: SpecVector): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

function vector(name: string): Uint8Array {
  const found = specs.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return bytesOf(found);
}

function outcome(bytes: Uint8Array): string {
  try {
    parsePodLaunchSpec(bytes);
    return 'accepted';
  } catch (error) {
    if (error instanceof LaunchSpecError) return error.code;
    throw error;
  }
}

const FULL = parsePodLaunchSpec(vector('full'));

describe('parsePodLaunchSpec', () => {
  it.each(specs.map((each) => [each.name, each] as const))(
    'decides the launch spec of a pod %s as its vector says',
    (_, each) => {
      const bytes = bytesOf(each);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(each.digest);
      expect(outcome(bytes)).toBe(each.expected);
    },
  );

  it.each([
    ['containers-unsorted', 'must be sorted by name'],
    ['privileged', 'Unrecognized key: "privileged"'],
    ['host-env-given', 'must have no variable that has a value'],
    ['secret-env-of-host', 'must have no variable that is a secret’s'],
    ['secret-refresh', 'must not be refreshed in a pod'],
    ['container-secrets-twice', 'secrets: must be sorted, each once'],
    ['container-secrets-unknown', 'must name no secret that the pod does not have'],
    ['container-secrets-env-taken', 'must have no variable that is a secret’s'],
    ['seccomp-missing', 'must be there for the profile of that name'],
  ])('refuses the launch spec of a pod %s with the reason: %s', (name, reason) => {
    expect(() => parsePodLaunchSpec(vector(name))).toThrow(reason);
  });

  it('reads no launch spec of a pod as that of a box, nor the other way round', () => {
    expect(() => parseLaunchSpec(vector('small'))).toThrow(LaunchSpecError);
    const box = new URL('../../../test/vectors/launch-spec/small.json', import.meta.url);
    const { text } = JSON.parse(readFileSync(box, 'utf8')) as SpecVector;
    expect(outcome(Buffer.from(text, 'base64'))).toBe('launch-spec-malformed');
    for (const bytes of [Buffer.from(text, 'base64'), vector('small')]) {
      expect(canonicalJson(parseAnyLaunchSpec(bytes))).toBe(Buffer.from(bytes).toString());
    }
    expect(() => parseAnyLaunchSpec(vector('space'))).toThrow(LaunchSpecError);
  });

  it('writes another text when anything of a container differs', () => {
    const [db, web] = FULL.containers;
    if (db === undefined || web === undefined) throw new Error('two containers');
    const others: PodLaunchSpec['containers'][number][] = [
      { ...web, name: 'other' },
      { ...web, image: { manifestDigest: `sha256:${'0'.repeat(64)}` } },
      { ...web, rootfs: { ...web.rootfs, readonly: false } },
      { ...web, process: { ...web.process, args: ['/bin/other'] } },
      { ...web, stopSignal: 'SIGINT' },
      { ...web, confinement: { ...web.confinement, groupsPolicy: 'merge' } },
      { ...web, resources: { ...web.resources, pids: 1 } },
      { ...web, tmpfs: undefined },
      { ...web, hostEnv: ['POD_IP'] },
      { ...web, ignoredMounts: ['/etc/hosts'] },
      { ...web, secrets: [] },
      { ...web, secrets: ['token'] },
    ];
    const texts = [FULL, ...others.map((other) => ({ ...FULL, containers: [db, other] }))].map(
      (spec) => podLaunchSpecText(PodLaunchSpec.parse({ ...spec, containers: byName(spec) })),
    );
    expect(new Set(texts).size).toBe(others.length + 1);
  });
});

function byName({ containers }: PodLaunchSpec): PodLaunchSpec['containers'] {
  return containers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

describe('decideContainer', () => {
  it.each(requests.map((each) => [each.name, each] as const))(
    'decides the request for a container %s as its vector says',
    (_, { request, expected, chosenEnv }) => {
      const decision = decideContainer(FULL, ContainerRequest.parse(request));
      expect(decision.permitted ? 'permitted' : decision.rule).toBe(expected);
      if (decision.permitted) expect(decision.chosenEnv).toEqual(chosenEnv);
    },
  );
});
