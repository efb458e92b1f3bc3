/** Docker's options for what processes may do, in a confidential box, in simulation. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const IMAGES = 'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]';
const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
});

/**
 * `/dev/own` has the number of FUSE's device. The ports to the agent and to the simulated processor
 * are made by their numbers, and opened.
 */
const SCRIPT = `
stat -c '%F %t:%T' /dev/net/tun
tunctl -t tap7 > /dev/null && ip link show tap7 | grep -c tap7
mknod /dev/own c 10 229 && (true < /dev/own) && echo read
(true > /dev/own) 2>&1 | sed 's/.*: /own: /'
for port in /sys/class/virtio-ports/*; do
  mknod /dev/port-\${port##*/} c $(tr : ' ' < $port/dev) 2>&1 && (true < /dev/port-\${port##*/}) 2>&1 | sed 's/.*: /port: /'
done 2>&1 | sort -u
mkdir /tmp/x 2>&1 | sed 's/.*: //'
test $(df -k / | awk 'END { print $2 }') -le 65536 && echo sized
dd if=/dev/zero of=/full bs=1M count=80 2>&1 | grep -o 'No space left on device'
grep -w db /etc/hosts | tr -s '[:blank:]' ' '
echo end
exec sleep 1000`;

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS.at(-1) ?? 'ordinary user', installation);
  await actor.load('busybox');
  writeFileSync(join(actor.home, 'image-policy.yaml'), IMAGES, { mode: 0o644 });
});
afterAll(async () => {
  await actor?.leave();
  installation?.remove();
});

it('gives a confidential box its devices, profile and writable layer, and nothing of its guest', async () => {
  const profile = join(actor.directory, 'profile.json');
  writeFileSync(profile, PROFILE, { mode: 0o644 });
  const flags = [
    ...['--tee', 'simulate', '--host-may', 'logs', '--network', 'none', '--cap-add', 'NET_ADMIN'],
    ...['--device', '/dev/net/tun'],
    ...['--device-cgroup-rule', 'c 10:229 r', '--security-opt', `seccomp=${profile}`],
    ...['--changes', 'encrypted-disk', '--storage-opt', 'size=64m', '--add-host', 'db:10.1.2.3'],
  ];
  const box = [BUSYBOX, 'sh', '-c', SCRIPT];
  const measured = JSON.parse(await actor.ok(['measure', ...flags, '--format', 'json', ...box]));
  await actor.ok(['run', '--detach', '--name', 'options', ...flags, ...box]);
  const logs = () => actor.ok(['logs', 'options']);
  await until('the box has said everything', async () => (await logs()).endsWith('end'));
  expect((await logs()).split('\n')).toEqual([
    ...['character special file a:c8', '1', 'read', 'own: Operation not permitted'],
    ...[
      'port: Operation not permitted',
      'No space left on device',
      'sized',
      'No space left on device',
      '10.1.2.3 db',
      'end',
    ],
  ]);
  const [shown] = JSON.parse(await actor.ok(['inspect', 'options']));
  expect(shown.Confidential).toMatchObject({ HostData: measured.hostData });
  expect(shown.HostConfig).toMatchObject({ StorageOpt: { size: '64m' } });
  await actor.ok(['rm', '--force', 'options']);
});
