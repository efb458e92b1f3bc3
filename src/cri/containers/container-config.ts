/**
 * The configuration of a container, as kubelet sends it, as the request for one.
 *
 * @module
 */
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { ContainerRequest } from '../../pods/containers/container-request.ts';
import type { PodDefinition } from '../../pods/record/pod.ts';
import { Signal } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { expectNoOptions } from '../handlers.ts';
import { imageName } from '../images/image-spec.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';
import { confinementOf } from '../security/confinement.ts';
import { askedLimits, limitsOf } from '../security/limits.ts';
import { pidsOf } from '../security/namespaces.ts';
import { userOf } from '../security/user.ts';
import { imageMountOf, mountOf } from './mounts.ts';

/**
 * @throws A3sError `invalid-argument`, `unsupported-option` with the field; `conflict` for a
 * privileged container of a pod that is not
 */
export async function containerRequest(
  config: cri.ContainerConfig | undefined,
  pod: Pick<PodDefinition, 'logDirectory' | 'privileged'>,
): Promise<ContainerRequest> {
  if (config?.metadata === undefined) throw invalid('config.metadata', 'it is missing');
  const { name, attempt } = config.metadata;
  if (name === '') throw invalid('config.metadata.name', 'it is empty');
  expectNoOptions(config.annotations);
  if (config.devices.length > 0) throw unsupported('devices', 'a guest has none of its node’s');
  if (config.CDIDevices.length > 0) throw unsupported('CDI_devices', 'a guest has none');
  const { securityContext, resources } = config.linux ?? {};
  const limits = askedLimits(resources);
  const confinement = await confinementOf(securityContext, limits.oomScoreAdj);
  if (confinement.privileged === true && !pod.privileged) {
    throw new A3sError(
      'conflict',
      'Cannot create a privileged container: its pod was not run as one that has such',
    );
  }
  const { command, args, workingDir, labels, annotations, stdin, stdinOnce, tty } = config;
  return {
    metadata: { name, attempt },
    image: imageName(config.image),
    userImage: config.image?.userSpecifiedImage ?? '',
    env: config.envs.map(environmentEntry),
    user: userOf(securityContext),
    ...{ command, args, workingDir, labels, annotations, stdin, stdinOnce },
    mounts: config.mounts.filter(({ image }) => image === undefined).map(mountOf),
    imageMounts: config.mounts.flatMap((each) => imageMountOf(each) ?? []),
    terminal: tty,
    readonlyRootfs: securityContext?.readonlyRootfs === true,
    confinement,
    pids: pidsOf(securityContext?.namespaceOptions, 'linux.security_context'),
    resources: limitsOf(limits),
    askedLimits: limits,
    logPath: logPathOf(pod.logDirectory, config.logPath),
    stopSignal: stopSignalOf(config.stopSignal),
  };
}

function environmentEntry({ key, value }: cri.KeyValue): string {
  if (key === '' || /[=\0]/.test(key)) throw invalid('envs', `${quoted(key)} is no name`);
  const text = Buffer.from(value).toString('utf8');
  if (text.includes('\0')) throw invalid('envs', `the value of ${quoted(key)} has a NUL`);
  return `${key}=${text}`;
}

/** Below the directory of the pod's logs. */
function logPathOf(directory: string, path: string): string {
  if (path === '' || directory === '') return '';
  if (path.includes('\0') || path.split('/').includes('..')) {
    throw invalid(
      'config.log_path',
      `${quoted(path)} leads out of the directory of the pod’s logs`,
    );
  }
  return join(directory, path);
}

/** As the agent takes it; undefined: the image's. */
function stopSignalOf(asked: number): string | undefined {
  if (asked === Signal.RUNTIME_DEFAULT) return undefined;
  const found = Object.entries(Signal).find(([, number]) => number === asked);
  if (found === undefined) throw invalid('config.stop_signal', `${asked} is none`);
  return found[0].replace('PLUS', '+').replace('MINUS', '-');
}
