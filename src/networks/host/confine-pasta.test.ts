import { expect, it } from 'vitest';
import { confinedPasta } from './confine-pasta.ts';

const host = {
  ...{ nsenter: '/usr/bin/nsenter', setpriv: '/usr/bin/setpriv', bwrap: '/usr/bin/bwrap' },
  roots: new Map([['/bin', 'usr/bin']]),
  hardLimits: new Map([['nproc', 512]]),
};
const place = {
  ...{ namespace: '/run/x/holder', pidFile: '/run/x/holder.pid', tun: '/run/x/tun' },
  filtered: true,
};

it('makes pasta the root of a user namespace, with limits, a file tree and a filter', () => {
  const command = confinedPasta(host, { ...place, userNamespace: '/proc/7/fd/9' }).join(' ');
  expect(command).toMatch(
    /^--core=0 --fsize=4096 --data=1073741824 --nproc=512 -- \/usr\/bin\/nsenter --user=\/proc\/7\/fd\/9 -- /,
  );
  expect(command).toContain('--bounding-set=-all,+sys_admin,');
  expect(command).toContain('--no-new-privs');
  expect(command).toContain('--seccomp 9 ');
  expect(command).toContain('--dev-bind /run/x/tun /dev/net/tun ');
  expect(command.match(/--bind \S+/g)).toEqual(['--bind /run/x/holder.pid']);
  // The server ends it by the number that it has on the host.
  expect(command).not.toMatch(/--unshare-(pid|all|user)/);
});

it('gives root of the host the same, but for the user namespace', () => {
  const command = confinedPasta(host, { ...place, filtered: false, userNamespace: undefined });
  expect(command).not.toContain('/usr/bin/nsenter');
  expect(command).toContain('/usr/bin/bwrap');
  expect(command).not.toContain('--seccomp');
});
