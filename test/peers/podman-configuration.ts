/**
 * The configuration of a podman that the tests or the benchmarks start: nothing of the host's, and
 * nothing that stays there.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes `containers.conf` into the directory of that podman, and gives its path, which podman
 * takes as `CONTAINERS_CONF`. Networks are recorded in the directory too: a podman of root records
 * them in `/etc` otherwise, whatever its storage is and also where it has a `/run` of its own, and
 * one that was killed would leave them to the next.
 *
 * @param containers more lines of the section `containers`
 */
export function writePodmanConfiguration(
  directory: string,
  containers: readonly string[] = [],
): string {
  const path = join(directory, 'containers.conf');
  const lines = [
    ...['[engine]', 'runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"'],
    ...['[containers]', 'log_driver = "k8s-file"', ...containers],
    ...['[network]', `network_config_dir = ${JSON.stringify(join(directory, 'networks'))}`],
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
