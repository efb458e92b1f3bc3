/**
 * What Kubernetes wants a container of a confidential pod to be, as the request to its guest, and
 * what the pod's launch spec says to it.
 *
 * @module
 */
import {
  CONTAINER_REQUEST_SCHEMA,
  type ContainerRequest,
  decideContainer,
  type PodLaunchSpec,
} from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { ContainerDefinition } from '../record/container.ts';

/** Without what a node adds by itself: paths to mask, weights, and scores for lack of memory. */
export function requestOf({
  metadata,
  image: { manifestDigest },
  process: { size: _, ...process },
  ...definition
}: ContainerDefinition): ContainerRequest {
  const { capabilities, noNewPrivileges, seccomp, seccompProfile, groups, groupsPolicy } =
    definition.confinement;
  const { memoryBytes, cpuMillis } = definition.resources;
  return {
    schema: CONTAINER_REQUEST_SCHEMA,
    container: metadata.name,
    image: { manifestDigest },
    process,
    stopSignal: definition.stopSignal,
    confinement: {
      ...{ capabilities, noNewPrivileges, seccomp },
      ...(seccompProfile === undefined ? {} : { seccompProfile }),
      ...(groups === undefined ? {} : { groups }),
      ...(groupsPolicy === undefined ? {} : { groupsPolicy }),
    },
    readonlyRootfs: definition.readonlyRootfs,
    resources: {
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(cpuMillis === undefined ? {} : { cpuMillis }),
    },
    mounts: definition.mounts.map(({ containerPath }) => containerPath),
  };
}

const LEAVE_OUT = 'Leave them out.';
const OWN_PIDS =
  'Ask for the mode CONTAINER, as kubelet does: without a mode, CRI’s is that of the pod.';

function unsupported(what: string, remedy: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the container: ${what} not supported in a confidential pod`,
    { remedy },
  );
}

/**
 * Finds out at create what the guest would refuse at start.
 *
 * @throws A3sError `unsupported-option`, `host-not-permitted` with the field that decides
 */
export function expectNamed(spec: PodLaunchSpec, definition: ContainerDefinition): void {
  const { imageMounts, pids, confinement } = definition;
  if (imageMounts.length > 0) throw unsupported('image volumes are', LEAVE_OUT);
  // The guest makes what its launch spec names, which no launch spec names otherwise.
  if (pids !== undefined) throw unsupported('a PID namespace that is shared is', OWN_PIDS);
  if (confinement.privileged === true) throw unsupported('privileges are', LEAVE_OUT);
  const decision = decideContainer(spec, requestOf(definition));
  if (decision.permitted) return;
  throw new A3sError(
    'host-not-permitted',
    `Cannot create the container: the launch spec of its pod does not permit it: ${decision.rule}: ${decision.reason}`,
    { remedy: 'Run the pod that a3s-box pod measure wrote, unchanged.' },
  );
}
