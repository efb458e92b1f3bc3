/**
 * `podman system service`, with runc: an engine that speaks Docker's API without Docker.
 *
 * @module
 */
import { join } from 'node:path';
import { type Engine, type EngineService, startEngine } from './engine-service.ts';
import { writePodmanConfiguration } from './podman-configuration.ts';

/** Limits of its containers, whatever those of the host are. */
const LIMITS = 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]';

const PODMAN: Engine = {
  name: 'podman',
  programs: ['podman', 'runc'],
  controlGroup: () => 'libpod_parent',
  command: (directory) => {
    const at = (name: string): string => join(directory, name);
    const configuration = writePodmanConfiguration(directory, [LIMITS]);
    const socket = at('podman.sock');
    const storage = ['--root', at('root'), '--runroot', at('run'), '--storage-driver', 'overlay'];
    const service = ['system', 'service', '--time=0', `unix://${socket}`];
    return {
      words: ['podman', '--runtime', 'runc', ...storage, ...service],
      socket,
      env: { CONTAINERS_CONF: configuration, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' },
    };
  },
};

/** Undefined where podman, runc or the right to make namespaces is not at hand. */
export function startPodmanService(): Promise<EngineService | undefined> {
  return startEngine(PODMAN);
}
