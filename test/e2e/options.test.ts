/**
 * Docker's options for what processes may do, in real microVMs: what the agent's own tests cannot
 * show, since they run on the kernel of the host.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
});

const FACTS = `
grep -E '^(CapEff|NoNewPrivs|Seccomp|Groups):' /proc/self/status | tr '\\t' ' '
cat /proc/self/oom_score_adj /proc/sys/kernel/domainname /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax
mkdir /tmp/x 2>&1 | cut -d : -f 3
stat -c '%F %t:%T' /dev/fuse
grep -c /dev/shm /proc/mounts
ls -d /dev/shm 2>&1 | cut -d : -f 3
`;

describe.each(ANY_ACTOR)('the options of a box of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  });
  afterAll(() => actor.leave());

  it('applies the options of a box to its main process, to an exec and after a restart', async () => {
    const profile = join(actor.directory, 'profile.json');
    writeFileSync(profile, PROFILE);
    const wait = 'until [ -e /done ]; do sleep 0.1; done';
    await actor.ok([
      ...['run', '-d', '--name', 'options', '--cap-drop=ALL', '--cap-add=SYS_TIME'],
      ...['--security-opt=no-new-privileges', '--group-add=42', '--oom-score-adj=300'],
      ...['--domainname=example.com', '--sysctl=net.core.somaxconn=99'],
      ...['--sysctl=kernel.msgmax=4097', '--device=/dev/fuse'],
      ...['--ipc=none', '--security-opt', `seccomp=${profile}`],
      ...[BUSYBOX, 'sh', '-c', `${FACTS}\ntouch /done\nexec sleep 1000`],
    ]);
    const exec = await actor.ok(['exec', 'options', 'sh', '-c', `${wait}\n${FACTS}`]);
    expect(exec).toBe(
      [
        'Groups: 0 42 ',
        ...['CapEff: 0000000002000000', 'NoNewPrivs: 1', 'Seccomp: 2', '300', 'example.com'],
        ...['99', '4097', ' No space left on device', 'character special file a:e5'],
        ...['0', ' No such file or directory'],
      ].join('\n'),
    );
    expect(await actor.ok(['logs', 'options'])).toBe(exec);
    await actor.ok(['restart', '-t', '0', 'options']);
    expect(await actor.ok(['exec', 'options', 'sh', '-c', FACTS])).toBe(exec);
    const all = await actor.ok(['exec', '--privileged', 'options', 'sh', '-c', FACTS]);
    expect(all).toContain('CapEff: 000001ffffffffff\nNoNewPrivs: 1\nSeccomp: 2\n');
  });

  it('gives a box that asks for /dev/net/tun, and by a rule for another device, these two alone', async () => {
    const tun = ['run', '--rm', '--cap-add=NET_ADMIN'];
    const script = `
stat -c '%F %t:%T' /dev/net/tun
mknod /dev/own c 10 229 && mknod /own c 10 229 && mknod /dev/mem c 1 1
for name in /dev/own /own /dev/mem; do
  for way in "true < $name" "true > $name"; do echo "$way:$(eval "$way" 2>&1 | sed 's/.*://')"; done
done
tunctl -t tap7 > /dev/null && ip link show tap7`;
    const given = ['--device=/dev/net/tun', '--device-cgroup-rule=c 10:229 r'];
    const asked = await actor.ok([...tun, ...given, BUSYBOX, 'sh', '-c', script]);
    expect(asked.split('\n').slice(0, 7)).toEqual([
      'character special file a:c8',
      ...['true < /dev/own:', 'true > /dev/own: Operation not permitted'],
      ...['true < /own: Permission denied', 'true > /own: Permission denied'],
      ...['true < /dev/mem: Operation not permitted', 'true > /dev/mem: Operation not permitted'],
    ]);
    expect(asked).toMatch(/\n\d+: tap7: /);
    const other = await actor.run([...tun, BUSYBOX, 'stat', '/dev/net/tun']);
    expect(other.code).toBe(1);
  });

  it('gives a privileged box all of its microVM', async () => {
    const done = await actor.ok([
      ...['run', '--rm', '--privileged', BUSYBOX, 'sh', '-c'],
      `grep -E '^(CapEff|Seccomp):' /proc/self/status | tr '\\t' ' '
       mkdir /m && mount -t tmpfs x /m && echo mounted
       echo 1 > /proc/sys/vm/overcommit_memory && echo written
       mkdir /sys/fs/cgroup/mine && echo grouped
       test -b /dev/vda && dd if=/dev/vda count=1 2>/dev/null | wc -c`,
    ]);
    expect(done).toBe('CapEff: 000001ffffffffff\nSeccomp: 0\nmounted\nwritten\ngrouped\n512');
  });
});
