/**
 * Docker's own engine, with a containerd that it starts itself: its answers are the specification.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Engine, type EngineService, startEngine } from './engine-service.ts';

const DOCKERD: Engine = {
  name: 'dockerd',
  programs: ['dockerd', 'containerd', 'runc'],
  // A name that nobody else has: `docker` may be of an engine of the host.
  controlGroup: (name) => name,
  command: (directory) => {
    const at = (name: string): string => join(directory, name);
    // The host's own configuration is not read, and a socket needs a group.
    writeFileSync(at('daemon.json'), '{}');
    const socket = at('docker.sock');
    const places = ['--config-file', at('daemon.json'), '--pidfile', at('docker.pid')];
    const storage = ['--data-root', at('root'), '--exec-root', at('run'), '--storage-driver=vfs'];
    // Its bridge is in its own network namespace. Published ports are served by its proxy, so
    // packets need no rules.
    const network = ['--iptables=false', '--ip6tables=false'];
    const groups = ['--group', 'root', '--cgroup-parent', `/${basename(directory)}`];
    const host = ['--host', `unix://${socket}`];
    return {
      words: ['dockerd', ...places, ...storage, ...network, ...groups, ...host],
      socket,
    };
  },
};

/** Undefined where dockerd, containerd, runc or the right to make namespaces is not at hand. */
export function startDockerdService(): Promise<EngineService | undefined> {
  return startEngine(DOCKERD);
}
