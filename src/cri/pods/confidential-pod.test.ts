import { readFileSync } from 'node:fs';
import { PodLaunchSpec, podLaunchSpecText } from '@a3s-box/policies';
import { expect, it } from 'vitest';
import { boxMemory } from '../../boxes/spec/resources.ts';
import { encodeLaunchSpec } from '../../pods/confidential/launch-spec-annotation.ts';
import { confidentialPod } from './confidential-pod.ts';

const VECTOR = new URL('../../../test/vectors/pod-launch-spec/full.json', import.meta.url);
const { text = '' } = JSON.parse(readFileSync(VECTOR, 'utf8')) as Record<string, string>;
const SPEC = JSON.parse(Buffer.from(text, 'base64').toString()) as {
  hostname: string;
  resources: { memoryBytes: number; cpuMillis: number };
  sysctls?: { path: string; value: string }[];
  resolver?: { nameservers?: string[]; search?: string[]; options?: string[] };
};
const { memoryBytes, cpuMillis } = SPEC.resources;

function run(
  size: { memoryBytes: number; nanoCpus: number; pids?: 'pod' },
  resources: object = SPEC.resources,
) {
  const { nameservers = [], search = [], options = [] } = SPEC.resolver ?? {};
  const sysctls = (SPEC.sysctls ?? []).map(({ path, value }) => [path.replaceAll('/', '.'), value]);
  const annotations = {
    'dev.a3s.launch-spec': encodeLaunchSpec(
      podLaunchSpecText(PodLaunchSpec.parse({ ...SPEC, resources })),
    ),
  };
  return confidentialPod('simulated', annotations, {
    hostname: SPEC.hostname,
    names: { servers: nameservers, search, options, hosts: [] },
    sysctls: Object.fromEntries(sysctls),
    privileged: false,
    pids: 'container',
    ...size,
  });
}

it.each([
  ['stated limits', { memoryBytes, nanoCpus: cpuMillis * 1_000_000 }],
  ['no limits', { memoryBytes: 0, nanoCpus: 0 }],
])('takes a launch spec with as much as the pod has by %s', (_, size) => {
  expect(run(size).confidential?.tee).toBe('simulated');
});

it.each([
  ['memory_limit_in_bytes', { memoryBytes: memoryBytes - 1, nanoCpus: 0 }],
  ['cpu_quota', { memoryBytes: 0, nanoCpus: (cpuMillis - 1) * 1_000_000 }],
])('refuses a launch spec with more than the pod’s %s', (field, size) => {
  expect(() => run(size)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(field) }),
  );
});

it('counts what a launch spec leaves out as the size of its microVM', () => {
  const whole = { memoryBytes: boxMemory(0), nanoCpus: 1e9 };
  expect(run(whole, {}).confidential?.tee).toBe('simulated');
  for (const less of [{ memoryBytes: boxMemory(0) - 1 }, { nanoCpus: 1e9 - 1 }]) {
    expect(() => run({ ...whole, ...less }, {})).toThrow('the launch spec of the pod says');
  }
});

it('refuses processes in common, which no launch spec names', () => {
  expect(() => run({ memoryBytes: 0, nanoCpus: 0, pids: 'pod' })).toThrow(
    expect.objectContaining({
      code: 'unsupported-option',
      message: expect.stringContaining('namespace_options.pid POD'),
    }),
  );
});
