/**
 * Error codes with the HTTP statuses from 500 on: the server, its host or a registry failed.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const SERVER_ERROR = {
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
    meaning:
      'The guest was not launched with the launch spec of its box, or has no room for what it says.',
    remedy: 'Start the box again; where it stays, do not trust the host.',
  },
  'volume-damaged': {
    status: 500,
    exitCode: 125,
    lasting: true,
    meaning: 'A sealed volume cannot be opened: its disk was changed, cut or partly overwritten.',
    remedy: 'Put back a copy of the disk. It is never formatted: remove the volume to give it up.',
  },
  'volume-rolled-back': {
    status: 500,
    exitCode: 125,
    lasting: true,
    meaning:
      'The disk of a sealed volume is older than the counter of its broker, empty, or another one.',
    remedy:
      'Put back the disk of the last start. Where it is lost, see [sealing.md](confidential/sealing.md#counters).',
  },
  'volume-not-counted': {
    status: 500,
    exitCode: 125,
    meaning: 'The broker did not confirm the generation of a sealed volume.',
    remedy: 'The message says why. Check `--broker`, and the grant for the counter.',
  },
  'volume-key-not-fetched': {
    status: 500,
    exitCode: 125,
    meaning: 'The broker did not give the key of a sealed volume in time.',
    remedy: 'The message says why. Check `--broker`, and that this host reaches it.',
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
  'secrets-not-fetched': {
    status: 500,
    exitCode: 125,
    meaning: 'A confidential box did not get its secrets from its broker in time.',
    remedy: 'The message says why. Check `--broker`, its key, and that the host reaches it.',
  },
  'secret-refused': {
    status: 500,
    exitCode: 125,
    meaning: 'The broker refused a secret to a confidential box, or the box cannot use it.',
    remedy: 'The message has the broker’s code; its audit log says which check decided.',
  },
  'engine-unavailable': {
    status: 500,
    exitCode: 125,
    lasting: true,
    meaning: 'The engine that was asked for runs no boxes on this host.',
    remedy: '`a3s-box info` says what is missing; see [engines.md](boxes/engines.md).',
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
  'accelerator-unavailable': {
    status: 500,
    lasting: true,
    meaning: 'This host cannot execute a microVM in the way that was asked for.',
    remedy: '`a3s-box info` says why.',
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
  'exec-timeout': {
    status: 504,
    unlogged: true,
    meaning: 'A program that Kubernetes had run in a container did not end in time.',
    remedy: 'Raise `timeoutSeconds` of the probe, or see what the program waits for.',
  },
  'agent-failed': {
    status: 500,
    machineFault: 'possible',
    unanswered: true,
    meaning: 'The guest’s agent failed, or the connection to it.',
    remedy: 'Try again; restart the box where it stays.',
  },
  'builder-failed': {
    status: 500,
    meaning: 'The builder of images failed, or the connection to it.',
    remedy: 'Build again: a builder that ended is started anew.',
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
  'builder-missing': {
    status: 501,
    unlogged: true,
    meaning: 'This installation has nothing that images are built in.',
    remedy: 'Make it with `npm run setup`.',
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
} as const satisfies Readonly<Record<string, ErrorRow>>;
