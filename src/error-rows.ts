/**
 * The table of error codes, in the order of their HTTP statuses.
 *
 * @module
 */
import { CONFIDENTIAL_REFUSALS } from './confidential-error-rows.ts';
import type { ErrorRow } from './error-row.ts';

export const ERROR_ROWS = {
  'invalid-argument': {
    status: 400,
    lasting: true,
    meaning: 'A value, flag or field is not one that can be used.',
    remedy: 'Correct what the message names.',
  },
  'invalid-reference': {
    status: 400,
    meaning: 'An image’s name is malformed.',
    remedy: 'Write it as `name`, `name:tag` or `name@sha256:…`.',
  },
  'invalid-image': {
    status: 400,
    lasting: true,
    meaning: 'An image, archive or layer is damaged or malformed.',
    remedy: 'Fetch or build the image again.',
  },
  'unsupported-option': {
    status: 400,
    lasting: true,
    meaning: 'Docker has the option, and A3S Box has not.',
    remedy: 'Leave it out; the message says why it is refused.',
  },
  'command-not-found': {
    status: 400,
    exitCode: 127,
    lasting: true,
    meaning: 'The image does not have the program.',
    remedy: 'Check the command, and PATH in the image.',
  },
  'command-not-executable': {
    status: 400,
    exitCode: 126,
    lasting: true,
    meaning: 'The program cannot be executed: no permission, a directory, or a wrong format.',
    remedy: 'Name a program that is executable and built for this platform.',
  },
  'user-not-found': {
    status: 400,
    lasting: true,
    meaning: 'The image does not have the user or group.',
    remedy: 'Name one of its /etc/passwd and /etc/group, or a number.',
  },
  'cwd-invalid': {
    status: 400,
    lasting: true,
    meaning: 'The working directory is not a directory of the image.',
    remedy: 'Choose another one with `--workdir`.',
  },
  'bind-source-missing': {
    status: 400,
    meaning:
      'The source of a bind mount, or the part of a volume, is not there, or is neither file nor directory.',
    remedy: 'Create it first.',
  },
  'policy-invalid': {
    status: 400,
    exitCode: 125,
    lasting: true,
    meaning: 'A policy cannot be read or contradicts itself; nothing is permitted by it.',
    remedy: 'Correct the file: `a3s-box policy check` shows where.',
  },
  'key-invalid': {
    status: 400,
    meaning: 'A key to sign or verify with cannot be used.',
    remedy: 'Give a key of a kind that the message names, with its password.',
  },
  'boot-set-invalid': {
    status: 400,
    lasting: true,
    meaning: 'A boot set is malformed, or its signature does not hold.',
    remedy: 'Import it again from where it is trusted, or sign it again.',
  },
  'registry-unauthorized': {
    status: 401,
    meaning: 'The registry asks for credentials, or refuses those it was given.',
    remedy: 'Run `a3s-box login`.',
  },
  'registry-denied': {
    status: 403,
    meaning: 'The registry denies this user access.',
    remedy: 'Ask for the right to it, or log in as another user.',
  },
  'image-untrusted': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning: 'The image policy refuses the image.',
    remedy: 'See why with `a3s-box trust explain`.',
  },
  ...CONFIDENTIAL_REFUSALS,
  'read-only-files': {
    status: 403,
    meaning: 'The root of the box, or the volume at the path, is mounted read-only.',
    remedy: 'Choose a path that can be written to.',
  },
  'network-in-use': {
    status: 403,
    meaning: 'A box is attached to the network.',
    remedy: 'Stop the box first; `a3s-box ps --filter network=NAME` lists them.',
  },
  'network-forbidden': {
    status: 403,
    lasting: true,
    meaning: 'The network is predefined, or another network has the addresses.',
    remedy: 'Choose another name or subnet; the message says which.',
  },
  'address-in-use': {
    status: 403,
    meaning: 'Another box of the network has the address.',
    remedy: 'Choose another address, or stop that box.',
  },
  'known-vulnerable': {
    status: 403,
    exitCode: 125,
    lasting: true,
    meaning: 'The boot set or processor firmware is on the list of vulnerable ones.',
    remedy: 'Use another boot set; the message names the advisory.',
  },
  'no-such-image': {
    status: 404,
    lasting: true,
    meaning: 'No image here has the name or id.',
    remedy: 'List them with `a3s-box images`, or pull it.',
  },
  'not-in-registry': {
    status: 404,
    meaning: 'The registry does not have the image.',
    remedy: 'Check the name and the tag.',
  },
  'no-such-policy': {
    status: 404,
    exitCode: 125,
    lasting: true,
    meaning: 'The server does not have the image policy of a call: it forgets them.',
    remedy: 'Run the command again with `--image-policy`, or hand the policy over again.',
  },
  'no-such-template': {
    status: 404,
    meaning: 'No template has the key.',
    remedy: 'List them with `a3s-box template ls`.',
  },
  'no-such-snapshot': {
    status: 404,
    meaning: 'No snapshot has the name or id.',
    remedy: 'List them with `a3s-box snapshot ls`.',
  },
  'no-such-pool': {
    status: 404,
    meaning: 'There is no pool of that shape.',
    remedy: 'List them with `a3s-box pool ls`.',
  },
  'no-such-boot-set': {
    status: 404,
    meaning: 'No boot set has the id.',
    remedy: 'List them with `a3s-box boot ls`.',
  },
  'no-such-network': {
    status: 404,
    lasting: true,
    meaning: 'No network has the name or id.',
    remedy: 'List them with `a3s-box network ls`.',
  },
  'no-such-volume': {
    status: 404,
    lasting: true,
    taken: true,
    meaning: 'No volume has the name.',
    remedy: 'List them with `a3s-box volume ls`.',
  },
  'no-such-driver': {
    status: 404,
    meaning: 'Volumes have the driver `local`, networks have `bridge`, and neither has another.',
    remedy: 'Leave the driver out.',
  },
  'no-such-box': {
    status: 404,
    taken: true,
    meaning: 'No box has the name or id.',
    remedy: 'List them with `a3s-box ps -a`.',
  },
  'no-such-file': {
    status: 404,
    meaning: 'The box does not have the path.',
    remedy: 'Look with `a3s-box exec BOX ls`.',
  },
  'no-such-exec': {
    status: 404,
    meaning: 'No exec has the id, or its guest does not know it any more.',
    remedy: 'Create it again.',
  },
  'no-such-route': {
    status: 404,
    meaning: 'The API does not have the path.',
    remedy: 'See docs/docker-api.md, or `GET /a3s/v1/openapi.json`.',
  },
  'name-in-use': {
    status: 409,
    meaning: 'Another box, or another network, has the name.',
    remedy: 'Choose another name, or remove or rename what has it.',
  },
  'image-in-use': {
    status: 409,
    meaning: 'A box was made from the image.',
    remedy: 'Remove the box first.',
  },
  'box-not-running': { status: 409, meaning: 'The box does not run.', remedy: 'Start it.' },
  'box-running': {
    status: 409,
    taken: true,
    meaning: 'The box runs.',
    remedy: 'Stop it first, or use `--force`.',
  },
  'volume-in-use': {
    status: 409,
    taken: true,
    meaning: 'A box mounts the volume; or the volume is a disk, which another box has.',
    remedy: 'Remove the box first; `a3s-box ps -a --filter volume=NAME` lists them.',
  },
  'bind-source-changed': {
    status: 409,
    meaning: 'The source of a bind mount leads elsewhere than when the box was created.',
    remedy: 'Put back what was there, or create the box again.',
  },
  conflict: {
    status: 409,
    taken: true,
    meaning: 'What was asked for does not fit the state of its object.',
    remedy: 'The message names the state; ask again once it is another.',
  },
  'too-large': {
    status: 413,
    meaning: 'A document, image or answer is larger than is read.',
    remedy: 'Make it smaller; the message says how large it may be.',
  },
  'registry-rate-limited': {
    status: 429,
    meaning: 'The registry was asked too often.',
    remedy: 'Try again later; logging in may raise the limit.',
  },
  'ratls-busy': {
    status: 429,
    meaning: 'The box has as many RA-TLS connections as it may.',
    remedy: 'Try again in a few seconds, or publish its port with `-p PORT:ratls`.',
  },
  'registry-unreachable': {
    status: 502,
    meaning: 'The registry cannot be reached.',
    remedy: 'Check its name, the network, the proxy and its certificate.',
  },
  'registry-failed': {
    status: 502,
    meaning: 'The registry answered wrongly, or its answer broke off.',
    remedy: 'Try again; what was downloaded is kept.',
  },
  'port-in-use': {
    status: 500,
    meaning: 'The host’s port is taken.',
    remedy: 'Choose another one, or stop what uses it.',
  },
  'box-disk-full': {
    status: 500,
    unlogged: true,
    meaning: 'The disk of the box, or of its volume, has no room.',
    remedy: 'Remove files in it.',
  },
  'disk-full': {
    status: 500,
    meaning: 'The disk below A3S_HOME has no room.',
    remedy: 'Free some space, for example with a3s-box system prune.',
  },
  'out-of-memory': {
    status: 500,
    machineFault: 'none',
    meaning: 'The host lacks the memory.',
    remedy: 'Stop boxes, or give them less with `--memory`.',
  },
  'boot-set-missing': {
    status: 500,
    lasting: true,
    meaning: 'There is no boot set, or parts of it are missing.',
    remedy: 'Run `npm run setup`, or import one with `a3s-box boot import`.',
  },
  'launch-spec-mismatch': {
    status: 500,
    exitCode: 125,
    lasting: true,
    meaning: 'The guest was not launched with the launch spec of its box.',
    remedy: 'Start the box again; where it stays, do not trust the host.',
  },
  'verity-mismatch': {
    status: 500,
    exitCode: 125,
    lasting: true,
    meaning: 'A layer is not the one of the launch spec.',
    remedy: 'Remove and pull the image again; check the disk.',
  },
  'secrets-deadline': {
    status: 500,
    exitCode: 125,
    meaning: 'The secrets of a confidential box did not arrive in time.',
    remedy: 'Start it again and inject them, or raise `--secrets-deadline`.',
  },
  'tool-missing': {
    status: 500,
    meaning: 'A program that is needed is not there, or cannot be started.',
    remedy: 'Install it; the message names it.',
  },
  'network-unavailable': {
    status: 500,
    exitCode: 125,
    meaning: 'This host cannot start boxes in user-defined networks.',
    remedy: '`a3s-box info` says what is missing.',
  },
  'tee-unavailable': {
    status: 500,
    exitCode: 125,
    meaning: 'There is no secure processor that answers.',
    remedy: '`a3s-box info` says what is missing.',
  },
  'network-failed': {
    status: 500,
    meaning: 'A network, or a box’s place in it, cannot be made on this host.',
    remedy: 'See the message, and `a3s-box info` for what the host lacks.',
  },
  'vmm-failed': {
    status: 500,
    machineFault: 'possible',
    meaning: 'The VMM or a helper of it failed.',
    remedy: 'See the message and the server’s log, and try again.',
  },
  'template-unusable': {
    status: 500,
    machineFault: 'certain',
    meaning: 'A template cannot be used.',
    remedy: 'Nothing: the box boots, and a new template is made.',
  },
  'agent-timeout': {
    status: 500,
    machineFault: 'possible',
    unanswered: true,
    meaning: 'The guest’s agent did not answer in time.',
    remedy: 'Try again; raise A3S_START_TIMEOUT on a slow host.',
  },
  'agent-failed': {
    status: 500,
    machineFault: 'possible',
    unanswered: true,
    meaning: 'The guest’s agent failed, or the connection to it.',
    remedy: 'Try again; restart the box where it stays.',
  },
  'state-unusable': {
    status: 500,
    meaning: 'What A3S_HOME holds cannot be used.',
    remedy: 'The message names the file, and what to do with it.',
  },
  'server-running': {
    status: 500,
    meaning: 'Another server uses this A3S_HOME.',
    remedy: 'Use that one, or choose another A3S_HOME.',
  },
  'server-unreachable': {
    status: 500,
    meaning: 'The command cannot reach the control server.',
    remedy: 'Try again: boxes run on, and the next command starts it.',
  },
  internal: {
    status: 500,
    meaning: 'Something failed that nobody foresaw.',
    remedy: 'See server.log in A3S_HOME, and report it.',
  },
  'not-implemented': {
    status: 501,
    unlogged: true,
    meaning: 'The Docker API has the route, and A3S Box has not.',
    remedy: 'The message says what to use instead, where there is something.',
  },
  'not-in-swarm': {
    status: 503,
    unlogged: true,
    meaning: 'There is no swarm, and there will be none.',
    remedy: 'Use boxes without one.',
  },
} as const satisfies Record<string, ErrorRow>;
