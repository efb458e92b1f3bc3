/**
 * Bind mounts: `HOST:BOX[:ro|rw]`.
 *
 * @module
 */
import { resolve } from 'node:path';
import { UsageError } from '../usage-error.ts';

/**
 * The bind as the API takes it, with an absolute host path.
 *
 * @throws RangeError for a malformed spec; UsageError for named and anonymous volumes and other options
 */
export function parseVolume(spec: string, cwd: string): string {
  const [source = '', destination, mode = 'rw', ...more] = spec.split(':');
  if (more.length > 0) throw new RangeError(`too many colons: ${spec}`);
  if (destination === undefined) {
    throw unsupported(`an anonymous volume in -v ${spec}: only host paths can be mounted`);
  }
  if (source === '') throw new RangeError('the host path is empty');
  if (!source.startsWith('/') && !source.startsWith('.') && !source.startsWith('~')) {
    throw unsupported(`a named volume in -v ${spec}: only host paths can be mounted`);
  }
  if (source.startsWith('~')) throw new RangeError(`the host path must be absolute: ${source}`);
  if (!destination.startsWith('/') || /^\/+$/.test(destination)) {
    throw new RangeError(`the path in the box must be absolute and not the root: ${destination}`);
  }
  if (mode !== 'ro' && mode !== 'rw') {
    throw unsupported(`mode ${mode} in -v ${spec}: only ro and rw are supported`);
  }
  return `${resolve(cwd, source)}:${destination}${mode === 'ro' ? ':ro' : ''}`;
}

function unsupported(what: string): UsageError {
  return new UsageError(`unsupported: ${what}`, {
    code: 'unsupported-option',
    remedy: 'Write it as -v /host/path:/box/path[:ro].',
  });
}
