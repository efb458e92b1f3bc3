/**
 * Docker's commands that A3S Box does not have, each with its remedy.
 *
 * @module
 */

const SWARM = 'there is no cluster mode';

export const UNSUPPORTED_COMMANDS: ReadonlyMap<string, string> = new Map([
  ['builder build', 'use a3s-box build'],
  ['builder prune', 'use a3s-box buildx prune, or a3s-box builder rm NAME for the whole cache'],
  ['checkpoint', 'use a3s-box snapshot create --memory'],
  ['config', SWARM],
  ['context', 'A3S_HOME names the installation'],
  ['image build', 'use a3s-box build'],
  ['manifest', 'use a3s-box image inspect, and skopeo inspect --raw for what a registry has'],
  ['node', SWARM],
  ['plugin', 'there are no plugins'],
  ['prune', 'use container prune, image prune, network prune, volume prune or system prune'],
  ['search', "look in the registry's own pages, then name the image with a3s-box pull"],
  ['secret', SWARM],
  ['service', SWARM],
  ['stack', SWARM],
  ['swarm', SWARM],
  ['volume update', SWARM],
]);
