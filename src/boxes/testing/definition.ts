/**
 * The definition of a plain box, for tests.
 *
 * @module
 */
import { type BoxDefinition, DEFAULT_LOGGING } from '../record/box.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { NO_NAMES } from '../record/names.ts';
import { NO_SECURITY } from '../record/security.ts';

/** A box that asks for nothing; boxes whose ids begin with a later digit are younger. */
export function testDefinition(id: string): BoxDefinition {
  return {
    ...{ id, createdAt: `2026-01-01T00:00:0${id[0]}.000000000Z`, bootSet: 'set' },
    image: { reference: 'busybox', id: 'sha256:1', manifestDigest: 'sha256:2' },
    identity: { uid: 1, gid: 1 },
    ...{ entrypoint: [], cmd: ['true'], env: [], cwd: '/', user: '', terminal: false },
    ...{ openStdin: false, stdinOnce: false },
    attach: { stdin: false, stdout: false, stderr: false },
    ...{ hostname: 'h', labels: {}, stopSignal: 'SIGTERM', autoRemove: false },
    ...{
      memoryBytes: 0,
      nanoCpus: 0,
      network: 'none',
      endpoints: [],
      names: NO_NAMES,
      ports: [],
      exposedPorts: [],
      binds: [],
    },
    ...{
      volumeMounts: [],
      imageMounts: [],
      volumesFrom: [],
      volumes: [],
      tmpfs: [],
      readonlyRootfs: false,
    },
    limits: NO_LIMITS,
    security: NO_SECURITY,
    restart: { name: 'no', maximumRetryCount: 0 },
    ...{ init: false, logging: DEFAULT_LOGGING },
  };
}
