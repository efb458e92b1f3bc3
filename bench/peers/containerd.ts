/**
 * containerd with runc as root, the peer that pods are compared with.
 *
 * Like podman beside boxes, it runs in mount, network and process namespaces of its own, and all
 * that it starts ends with them. Its socket lies in its directory, which this process sees.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { CriClient } from '../../src/cri/testing/cri-client.ts';
import { buildImage, dockerArchive } from '../../src/images/testing/build-image.ts';
import { busyboxImage } from '../../src/images/testing/busybox-image.ts';
import { until } from '../../test/e2e/processes.ts';
import { controlGroups, removeGroup } from '../../test/peers/control-groups.ts';

const PAUSE = 'docker.io/test/pause:1';

/** It keeps state below `/run` and `/var/lib` wherever its own is, so both are empty here. */
const FIRST_PROCESS = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
ip link set lo up
"$@"
exit $?`;

/** @param cni the configuration of its network */
export async function withContainerd<T>(
  archive: string,
  cni: object,
  use: (client: CriClient, cgroupParent: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-containerd-'));
  const group = basename(directory);
  const daemon = start(directory, cni);
  const client = new CriClient(join(directory, 'sock'));
  try {
    await until('containerd answers', async () => {
      if (daemon.exitCode !== null) throw new Error('containerd has ended');
      return (
        (await client.call(RuntimeService.method.version, {}).catch(() => undefined)) !== undefined
      );
    });
    // It has programs that wait, where the test's image ends at once.
    const config = { Entrypoint: ['/bin/sleep', '1000000'] };
    const pause = join(directory, 'pause.tar');
    writeFileSync(pause, dockerArchive([buildImage({ ...busyboxImage(PAUSE), config })]));
    for (const path of [archive, pause]) {
      const address = ['--address', join(directory, 'sock'), '--namespace', 'k8s.io'];
      execFileSync('ctr', [...address, 'images', 'import', path], { stdio: 'pipe' });
    }
    return await use(client, `/${group}`);
  } finally {
    client.close();
    await end(daemon);
    for (const path of controlGroups(group)) {
      // The kernel takes its time with the dead.
      await until(`${path} is empty`, () => removeGroup(path));
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

function start(directory: string, cni: object): ChildProcess {
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('cni'));
  writeFileSync(join(at('cni'), '10-bench.conf'), JSON.stringify(cni));
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const lines = [
    ...['version = 2', `root = "${at('root')}"`, `state = "${at('state')}"`],
    ...['[grpc]', `address = "${at('sock')}"`],
    ...[`[${cri}]`, `sandbox_image = "${PAUSE}"`, 'disable_apparmor = true'],
    // A score below one's own takes a capability that root may lack in a container.
    'restrict_oom_score_adj = true',
    ...[`[${cri}.cni]`, 'bin_dir = "/usr/lib/cni"', `conf_dir = "${at('cni')}"`],
    ...[`[${cri}.containerd.runtimes.runc]`, 'runtime_type = "io.containerd.runc.v2"'],
  ];
  writeFileSync(at('config.toml'), `${lines.join('\n')}\n`);
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const command = ['containerd', '--config', at('config.toml')];
  return spawn('unshare', [...namespaces, 'sh', '-c', FIRST_PROCESS, 'sh', ...command], {
    stdio: 'ignore',
  });
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = once(daemon, 'exit');
  daemon.kill('SIGKILL');
  await ended;
}
