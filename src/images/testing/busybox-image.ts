/**
 * Two images around Debian's static busybox: a small system, and one program without a shell beside
 * it.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ImageSpec } from './build-image.ts';
import type { TarFile } from './tar-writer.ts';

/** Where Debian's package `busybox-static` puts it. */
export const BUSYBOX = '/bin/busybox';

/** A system with busybox's commands, `root`, `nobody` and the usual directories. */
export function busyboxImage(name = 'docker.io/library/busybox:latest'): ImageSpec {
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).split('\n');
  const directory = (path: string, mode = 0o755): TarFile => ({ path, type: 'directory', mode });
  const system: TarFile[] = [
    directory('bin'),
    { path: 'bin/busybox', mode: 0o755, data: readFileSync(BUSYBOX) },
    ...applets
      .filter((applet) => applet !== '' && applet !== 'busybox')
      .sort()
      .map((applet): TarFile => ({ path: `bin/${applet}`, type: 'symlink', target: 'busybox' })),
    directory('dev'),
    directory('etc'),
    { path: 'etc/group', data: 'root:x:0:\ndaemon:x:1:\nusers:x:100:\nnogroup:x:65534:\n' },
    {
      path: 'etc/passwd',
      data:
        'root:x:0:0:root:/root:/bin/sh\n' +
        'daemon:x:1:1:daemon:/usr/sbin:/bin/false\n' +
        'user:x:1000:100:user:/home/user:/bin/sh\n' +
        'nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
    },
    directory('home'),
    { path: 'home/user', type: 'directory', uid: 1000, gid: 100 },
    directory('proc'),
    directory('root', 0o700),
    directory('run'),
    directory('sbin'),
    directory('sys'),
    directory('tmp', 0o1777),
    directory('usr'),
    { path: 'usr/bin', type: 'symlink', target: '../bin' },
    directory('var'),
    { path: 'var/run', type: 'symlink', target: '../run' },
    directory('var/tmp', 0o1777),
  ];
  return {
    name,
    layers: [system],
    config: {
      Cmd: ['sh'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    },
  };
}

/** One static program, `/busybox`, and nothing else: no shell, no `/etc/passwd`, no `/tmp`. */
export function distrolessImage(name = 'docker.io/library/distroless:latest'): ImageSpec {
  return {
    name,
    layers: [[{ path: 'busybox', mode: 0o755, data: readFileSync(BUSYBOX) }]],
    config: { Entrypoint: ['/busybox'], Cmd: ['echo', 'hello from a distroless image'] },
  };
}
