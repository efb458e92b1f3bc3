/**
 * The mounts of a container, as kubelet sends them.
 *
 * @module
 */
import { isAbsolute, posix, resolve } from 'node:path';
import type { ImageMountRequest } from '../../boxes/policy/image-mounts.ts';
import type { PodMount } from '../../pods/record/container.ts';
import { MountPropagation } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { imageName } from '../images/image-spec.ts';
import { invalid, quoted, unsupported } from '../refusal.ts';

/** @throws A3sError `invalid-argument`, `unsupported-option` with the field */
export function mountOf(asked: cri.Mount): PodMount {
  const { hostPath, containerPath, readonly, recursiveReadOnly, propagation } = asked;
  if (asked.imageSubPath !== '') {
    throw invalid('mounts.image_sub_path', 'it goes with image');
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

/**
 * An image that a container mounts; undefined for a path of the node.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option` with the field
 */
export function imageMountOf(asked: cri.Mount): ImageMountRequest | undefined {
  const { image, hostPath, containerPath, imageSubPath } = asked;
  if (image === undefined) return undefined;
  if (!asked.readonly) throw invalid('mounts.readonly', 'an image is read-only');
  if (hostPath !== '') throw invalid('mounts.host_path', 'an image is mounted, and no path');
  if (!isAbsolute(containerPath) || containerPath.includes('\0')) {
    throw invalid('mounts.container_path', `${quoted(containerPath)} is not an absolute path`);
  }
  if (asked.propagation !== MountPropagation.PROPAGATION_PRIVATE) {
    throw unsupported('mounts.propagation', 'nothing is mounted below an image later');
  }
  const subpath = posix.normalize(imageSubPath).replace(/\/$/, '');
  if (isAbsolute(subpath) || subpath.split('/').includes('..')) {
    throw invalid('mounts.image_sub_path', `${quoted(imageSubPath)} leads out of the image`);
  }
  return {
    ...{ reference: imageName(image), destination: resolve(containerPath) },
    ...(subpath === '.' ? {} : { subpath }),
  };
}

const FIELDS: Readonly<Record<string, string>> = {
  hostPath: 'host_path',
  containerPath: 'container_path',
};
