/**
 * Bind mounts of Docker's create document.
 *
 * @module
 */
import { posix } from 'node:path';
import { mountPoint } from '../../../../boxes/create/volumes.ts';
import type { Bind } from '../../../../boxes/record/box.ts';
import { A3sError } from '../../../../errors.ts';
import { unsupported } from './unsupported-options.ts';

/** Docker's modes of a bind by kind; at most one of each kind is allowed. */
const MODES: Readonly<Record<string, 'access' | 'label' | 'consistency' | 'propagation'>> = {
  ...{ ro: 'access', rw: 'access' },
  // Accepted without effect: boxes have no SELinux labels on the host. What is shared is confined to the box's VMM.
  ...{ z: 'label', Z: 'label' },
  ...{ consistent: 'consistency', cached: 'consistency', delegated: 'consistency' },
  ...{ private: 'propagation', rprivate: 'propagation', shared: 'propagation' },
  ...{ rshared: 'propagation', slave: 'propagation', rslave: 'propagation' },
};

/** Parses `source:destination[:mode]`, both absolute. Named volumes and impossible modes are refused by name. */
export function parseBind(bind: string): Bind {
  const parts = bind.split(':');
  const [source = '', destination = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3) {
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}'`);
  }
  if (!source.startsWith('/')) {
    throw unsupported('HostConfig.Binds', `'${source}' names a volume; a host path is absolute`);
  }
  const target = mountPoint(destination);
  if (!destination.startsWith('/') || target === '/') {
    const why = target === '/' ? "destination can't be '/'" : 'mount path must be absolute';
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}': ${why}`);
  }
  return {
    source: posix.normalize(source),
    destination: target,
    readonly: isReadonly(mode),
    ...(mode === '' ? {} : { mode }),
  };
}

function isReadonly(mode: string): boolean {
  if (mode === '') return false;
  const words = mode.split(',');
  const kinds = words.map((word) => (Object.hasOwn(MODES, word) ? MODES[word] : undefined));
  if (kinds.includes(undefined) || new Set(kinds).size < kinds.length) {
    throw new A3sError('invalid-argument', `invalid mode: ${mode.slice(0, 64)}`);
  }
  const spread = words[kinds.indexOf('propagation')];
  if (spread !== undefined && spread !== 'rprivate') {
    throw unsupported(
      'HostConfig.Binds',
      `mode ${spread}: mounts do not spread between a box and the host`,
    );
  }
  return words.includes('ro');
}
