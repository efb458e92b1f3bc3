/**
 * Bind mounts of Docker's create document.
 *
 * @module
 */
import { posix } from 'node:path';
import type { Bind } from '../../boxes/box.ts';
import { A3sError } from '../../errors.ts';
import { unsupported } from './absent.ts';

/** `source:destination[:mode]`, both absolute; named volumes and other modes are refused by name. */
export function parseBind(bind: string): Bind {
  const parts = bind.split(':');
  const [source = '', destination = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3) {
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}'`);
  }
  if (!source.startsWith('/')) {
    throw unsupported('HostConfig.Binds', `'${source}' names a volume; a host path is absolute`);
  }
  const target = posix.normalize(destination);
  if (!destination.startsWith('/') || target === '/') {
    const why = target === '/' ? "destination can't be '/'" : 'mount path must be absolute';
    throw new A3sError('invalid-argument', `invalid volume specification: '${bind}': ${why}`);
  }
  return {
    source: posix.normalize(source),
    destination: target.replace(/(.)\/$/, '$1'),
    readonly: isReadonly(mode, bind),
  };
}

function isReadonly(mode: string, bind: string): boolean {
  if (mode === 'ro') return true;
  if (mode === '' || mode === 'rw') return false;
  throw unsupported('HostConfig.Binds', `mode of '${bind}' is neither ro nor rw`);
}
