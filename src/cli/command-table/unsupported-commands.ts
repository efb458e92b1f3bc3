/**
 * Docker's commands that A3S Box does not have, each with its remedy.
 *
 * @module
 */

const IMAGES = 'pull an image that another tool has built, or load it: a3s-box load -i ARCHIVE';
const SWARM = 'there is no cluster mode';

export const UNSUPPORTED_COMMANDS: ReadonlyMap<string, string> = new Map([
  ['build', IMAGES],
  ['builder build', IMAGES],
  ['builder prune', 'remove the builder with its cache: a3s-box builder rm NAME'],
  ['buildx', IMAGES],
  ['checkpoint', 'use a3s-box snapshot create --memory'],
  ['config', SWARM],
  ['context', 'A3S_HOME names the installation'],
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
