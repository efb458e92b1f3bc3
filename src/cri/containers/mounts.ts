/**
 * The mounts of a container, as kubelet sends them.
 *
 * @module
 */
import { isAbsolute, resolve } from 'node:path';
import type { PodMount } from '../../pods/record/container.ts';
import { MountPropagation } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';

/** @throws A3sError `invalid-argument`, `unsupported-option` with the field */
export function mountOf(asked: cri.Mount): PodMount {
  const { hostPath, containerPath, readonly, recursiveReadOnly, propagation } = asked;
  if (asked.image !== undefined) {
    throw unsupported('mounts.image', `an image cannot be mounted at ${quoted(containerPath)} yet`);
  }
  for (const [field, path] of Object.entries({ hostPath, containerPath })) {
    if (!isAbsolute(path) || path.includes('\0')) {
      throw invalid(`mounts.${FIELDS[field] ?? field}`, `${quoted(path)} is not an absolute path`);
    }
  }
  if (propagation !== MountPropagation.PROPAGATION_PRIVATE) {
    throw unsupported('mounts.propagation', 'what is mounted later is seen on one side alone');
  }
  if (asked.uidMappings.length + asked.gidMappings.length > 0) {
    throw unsupported('mounts.uidMappings', 'users of a pod are those of its own kernel');
  }
  if (recursiveReadOnly && !readonly) {
    throw invalid('mounts.recursive_read_only', 'it takes a mount that is readonly');
  }
  return {
    hostPath: resolve(hostPath),
    containerPath: resolve(containerPath),
    ...{ readonly, recursive: recursiveReadOnly },
  };
}

const FIELDS: Readonly<Record<string, string>> = {
  hostPath: 'host_path',
  containerPath: 'container_path',
};
