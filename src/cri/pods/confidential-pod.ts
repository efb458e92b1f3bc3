/**
 * What makes a pod confidential: the launch spec in its annotation, which has to say what
 * Kubernetes asks for. The guest takes nothing of a pod's configuration, so a difference would pass
 * unnoticed.
 *
 * @module
 */
import type { PodLaunchSpec } from '@a3s-box/policies';
import { boxMemory, NANO, vmCpus } from '../../boxes/spec/resources.ts';
import { sysctlsOf } from '../../boxes/spec/sysctls.ts';
import { decodeLaunchSpec } from '../../pods/confidential/launch-spec-annotation.ts';
import type { PodRequest } from '../../pods/launch/pod-request.ts';
import type { PodTee } from '../../pods/record/pod.ts';
import { launchSpecAnnotation } from '../handlers.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';

const NANO_PER_MILLI = 1_000_000;

type Asked = Pick<PodRequest, 'hostname' | 'names' | 'sysctls' | 'privileged' | 'pids'> &
  Pick<PodRequest, 'memoryBytes' | 'nanoCpus'>;

/** @throws A3sError `invalid-argument`, `unsupported-option` with the field that differs */
export function confidentialPod(
  tee: PodTee,
  annotations: Readonly<Record<string, string>>,
  asked: Asked,
): Required<Pick<PodRequest, 'confidential'>> {
  const { spec, text, digest } = decodeLaunchSpec(launchSpecAnnotation(annotations));
  if (asked.privileged) {
    throw unsupported('linux.security_context.privileged', 'no confidential pod is privileged');
  }
  if (asked.pids !== 'container') {
    const field = 'linux.security_context.namespace_options.pid POD';
    throw unsupported(field, 'its launch spec gives each container a PID namespace of its own');
  }
  if (asked.hostname !== spec.hostname) {
    const names = `${quoted(asked.hostname)}, and its launch spec says ${quoted(spec.hostname)}`;
    throw invalid('config.hostname', `it is ${names}`);
  }
  expectResolver(spec, asked);
  const wanted = sysctlsOf(asked.sysctls, '').toSorted((a, b) => (a.path < b.path ? -1 : 1));
  expectSame('linux.sysctls', wanted, spec.sysctls ?? []);
  expectSize(spec, asked);
  return { confidential: { tee, launchSpec: text, specDigest: digest } };
}

function expectResolver({ resolver = {} }: PodLaunchSpec, { names }: Asked): void {
  expectSame('dns_config.servers', names.servers, resolver.nameservers ?? []);
  expectSame('dns_config.searches', names.search, resolver.search ?? []);
  expectSame('dns_config.options', names.options, resolver.options ?? []);
}

/** The launch spec decides the size of the microVM: it takes no more than Kubernetes counts. */
function expectSize({ resources }: PodLaunchSpec, { memoryBytes, nanoCpus }: Asked): void {
  const { memoryBytes: memory = 0, cpuMillis = 0 } = resources;
  // What a launch spec does not limit has the microVM's whole size.
  const nanos = cpuMillis === 0 ? vmCpus(0) * NANO : cpuMillis * NANO_PER_MILLI;
  const sizes = [
    ['memory_limit_in_bytes', memoryBytes, boxMemory(memory)],
    ['cpu_quota', nanoCpus, nanos],
  ] as const;
  for (const [field, asked, says] of sizes) {
    // None is stated where no container has a limit.
    if (asked === 0 || says <= asked) continue;
    throw invalid(`linux.resources.${field}`, 'the launch spec of the pod says that it has more');
  }
}

function expectSame(field: string, asked: readonly unknown[], specified: readonly unknown[]): void {
  const [is, says] = [JSON.stringify(asked), JSON.stringify(specified)];
  if (is !== says) throw invalid(field, `it is ${is}, and its launch spec says ${says}`);
}
