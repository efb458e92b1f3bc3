import { expect, it } from 'vitest';
import { confinedNameServer } from './confine.ts';

const host = {
  ...{ bwrap: '/usr/bin/bwrap', setpriv: '/usr/bin/setpriv' },
  roots: new Map([['/bin', 'usr/bin']]),
  hardLimits: new Map([['nofile', 1024]]),
};
const files = {
  config: '/run/x/netavark/aardvark-dns',
  pidFile: '/run/x/netavark/aardvark-dns/pid',
};
const identity = { uid: 7001, gid: 7001 };

it('gives the DNS server a user, a file tree, a filter, limits and one file to write', () => {
  const given = { identity, filtered: true, files };
  const command = confinedNameServer(host, { namespaces: true, landlock: true }, given).join(' ');
  expect(command).toMatch(/^--core=0 --fsize=4096 --nofile=1024 --data=1073741824 -- /);
  expect(command).toContain('--reuid=7001 --regid=7001 --clear-groups --bounding-set=-all');
  expect(command).toContain('--seccomp 9 ');
  expect(command).toContain(`--ro-bind ${files.config} ${files.config} --bind ${files.pidFile} `);
  expect(command.match(/--landlock-rule=\S+/g)).toEqual(
    ['/dev/null', '/dev/urandom', files.pidFile].map(
      (path) => `--landlock-rule=path-beneath:write-file,truncate:${path}`,
    ),
  );
  // netavark signals it by the number that it has on the host.
  expect(command).not.toContain('--unshare-pid');
  expect(command).not.toContain('--unshare-all');
});

it('leaves out what the host has not', () => {
  const given = { identity, filtered: false, files };
  const bare = confinedNameServer(host, { namespaces: false, landlock: false }, given);
  expect(bare.at(-1)).toBe('--');
  expect(bare.join(' ')).not.toMatch(/bwrap|seccomp|landlock/);
  const asSelf = { identity: undefined, filtered: true, files };
  const own = confinedNameServer(host, { namespaces: true, landlock: false }, asSelf).join(' ');
  expect(own).not.toContain('--reuid');
  // It would keep bwrap from building the tree as the root of a namespace.
  expect(own).not.toContain('--bounding-set');
  expect(own).toContain('/usr/bin/bwrap --unshare-user');
});
