/**
 * What programs of networks see of the host, in the words of bubblewrap: the system's programs, and
 * the addresses of its DNS servers.
 *
 * @module
 */
import type { JailHost } from '../../jail/arguments.ts';

export const DEVICES = ['/dev/null', '/dev/urandom'];

export function systemTree({ roots }: Pick<JailHost, 'roots'>): string[] {
  return [
    ...['--ro-bind', '/usr', '/usr'],
    ...[...roots].flatMap(([path, target]) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
    ...['/etc/ld.so.cache', '/etc/resolv.conf'].flatMap((path) => ['--ro-bind-try', path, path]),
    ...DEVICES.flatMap((path) => ['--dev-bind', path, path]),
  ];
}
