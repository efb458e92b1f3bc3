/**
 * What the inspection of a box and its line in the list share of its mounts.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import type { ContainerInspect } from '../../../../docker-api/containers/container.ts';
import { bindMode } from './show.ts';

type Inspect = ContainerInspect;

export function mountsOf(
  { volumes }: Pick<Runtime, 'volumes'>,
  { definition }: Box,
): Inspect['Mounts'] {
  const binds = definition.binds.map((bind) => ({
    Type: 'bind' as const,
    Source: bind.source,
    Destination: bind.destination,
    Mode: bindMode(bind),
    RW: !bind.readonly,
    Propagation: 'rprivate',
  }));
  const mounted = definition.volumeMounts.map(({ name, destination, mode, readonly }) => ({
    Type: 'volume' as const,
    Name: name,
    Source: volumes.mountpoint(name),
    Destination: destination,
    Driver: 'local' as const,
    Mode: mode,
    RW: !readonly,
    Propagation: '',
  }));
  // As in Docker, one that was asked for by `--tmpfs` is in `HostConfig` alone.
  const inMemory = definition.tmpfs
    .filter(({ asked }) => asked.form === 'long')
    .map(({ destination, readonly }) => ({
      ...{ Type: 'tmpfs' as const, Source: '', Destination: destination },
      ...{ Mode: '', RW: !readonly, Propagation: '' },
    }));
  const images = definition.imageMounts.map(({ image, destination }) => ({
    ...{ Type: 'image' as const, Source: image.reference, Destination: destination },
    ...{ Mode: '', RW: false, Propagation: '' },
  }));
  return [...binds, ...mounted, ...images, ...inMemory];
}
