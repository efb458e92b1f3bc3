import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { hostPrograms } from '../images/host-programs.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

const IMAGE = 'localhost/a3s/docker:1';
/** The programs of Debian's packages docker.io, docker-cli, containerd, runc and iptables. */
const PROGRAMS = [
  ...['dockerd', 'docker', 'docker-init', 'docker-proxy', 'containerd'],
  ...['containerd-shim-runc-v2', 'runc', 'xtables-nft-multi'],
];
const IPTABLES = ['iptables', 'iptables-save', 'iptables-restore'];
/**
 * Docker's own image moves its processes before dockerd starts, too: control groups that share
 * controllers out have none. Debian's services start containerd first, as this does.
 */
const START = `
cd /sys/fs/cgroup && mkdir init && echo $$ > init/cgroup.procs || exit 1
sed 's/ / +/g; s/^/+/' cgroup.controllers > cgroup.subtree_control || exit 1
cat cgroup.subtree_control
containerd &
until test -S /run/containerd/containerd.sock; do sleep 0.2; done
exec dockerd --containerd=/run/containerd/containerd.sock
`;
/** Under emulation alone, dockerd takes half a minute until it answers. */
const SLOW_MS = scaled(300_000);

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

function image(): Buffer {
  const { layers, ...rest } = busyboxImage(IMAGE);
  const programs = [
    ...hostPrograms(PROGRAMS, ['/usr/lib/x86_64-linux-gnu/xtables']),
    ...IPTABLES.map((name) => ({
      path: `usr/sbin/${name}`,
      type: 'symlink' as const,
      target: 'xtables-nft-multi',
    })),
    { path: 'etc/group', data: 'root:x:0:\ndocker:x:101:\n' },
    { path: 'etc/os-release', data: 'ID=debian\nPRETTY_NAME=test\n' },
    { path: 'etc/start', mode: 0o755, data: START },
  ];
  return dockerArchive([buildImage({ ...rest, layers: [...layers, programs] })]);
}

describe.each(ANY_ACTOR)('Docker in a privileged box of %s', (name) => {
  let actor: Actor;
  const logs = async (): Promise<string> => {
    const { stdout, stderr } = await actor.run(['logs', 'docker']);
    return stdout + stderr;
  };
  const isListening = async (): Promise<boolean> => {
    const text = await logs();
    const status = await actor.ok(['inspect', '-f', '{{.State.Status}}', 'docker']);
    if (status !== 'running') throw new Error(text);
    return text.includes('API listen on');
  };
  beforeAll(
    async () => {
      actor = new Actor(name, installation);
      const archive = join(actor.directory, 'image.tar');
      writeFileSync(archive, image(), { mode: 0o644 });
      await actor.ok(['load', '-i', archive], { deadlineMs: SLOW_MS });
      rmSync(archive);
      await actor.ok(['volume', 'create', '--opt', 'type=disk', '--opt', 'size=2g', 'docker']);
      await actor.ok(
        [
          ...['run', '-d', '--name', 'docker', '--privileged', '-m', '1g', '--cpus', '2'],
          ...['-v', 'docker:/var/lib/docker', IMAGE, 'sh', '/etc/start'],
        ],
        { deadlineMs: SLOW_MS },
      );
      await until('dockerd listens', isListening, SLOW_MS).catch(async (error: unknown) => {
        throw new Error(await logs(), { cause: error });
      });
      await script('tar -c -C / bin | docker import - tiny:1');
    },
    scaled(3 * SLOW_MS),
  );
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const script = (text: string): Promise<string> =>
    actor.ok(['exec', 'docker', 'sh', '-c', text], { deadlineMs: SLOW_MS });
  const docker = (...args: readonly string[]): Promise<string> =>
    actor.ok(['exec', 'docker', 'docker', ...args], { deadlineMs: SLOW_MS });

  it(
    'runs containers with overlays and limits',
    async () => {
      const facts = await docker('info', '-f', '{{.Driver}} {{.CgroupVersion}}');
      expect(facts).toBe('overlay2 2');
      const shown =
        'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; head -n 1 /proc/self/mountinfo';
      const limits = ['--rm', '-m', '32m', '--pids-limit', '50'];
      expect(await docker('run', ...limits, 'tiny:1', '/bin/sh', '-c', shown)).toMatch(
        /^33554432\n50\n.* \/ \/ .* - overlay /,
      );
    },
    scaled(SLOW_MS),
  );

  it(
    'connects containers by a bridge, and publishes their ports',
    async () => {
      await script('mkdir /www && echo of the box > /www/file && httpd -p 8000 -h /www');
      const bridge = await script("ip -4 -o addr show docker0 | awk '{print $4}' | cut -d/ -f1");
      const get = (port: number): string[] => ['wget', '-q', '-O', '-', `${bridge}:${port}/file`];
      expect(await docker('run', '--rm', 'tiny:1', ...get(8000))).toBe('of the box');
      const serve = 'mkdir /www; echo of a container > /www/file; exec httpd -f -p 80 -h /www';
      await docker('run', '-d', '-p', '8080:80', 'tiny:1', '/bin/sh', '-c', serve);
      let answer = '';
      await until('the port is published', async () => {
        answer = await script(`${get(8080).join(' ')} || :`);
        return answer !== '';
      });
      expect(answer).toBe('of a container');
      // The kernel has redirected that, and no proxy: the rule has counted packets.
      expect(await script('iptables -t nat -v -n -L DOCKER')).toMatch(/^ *[1-9]\d* +\d+ DNAT /m);
      expect(await script('iptables -t nat -S POSTROUTING')).toContain('MASQUERADE');
    },
    scaled(SLOW_MS),
  );

  it('leaves other boxes without the modules', async () => {
    const modules = await actor.ok(['run', '--rm', IMAGE, 'cat', '/proc/modules']);
    expect(modules).toContain('overlay ');
    expect(modules).not.toMatch(/^(bridge|nf_tables|tun) /m);
  });
});
