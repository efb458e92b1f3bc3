/**
 * The box that a builder is.
 *
 * @module
 */
import type { CreateRequest } from '../boxes/create/create-request.ts';
import { NO_LIMITS } from '../boxes/record/limits.ts';
import { NO_NAMES } from '../boxes/record/names.ts';
import { NO_SECURITY } from '../boxes/record/security.ts';
import type { Builder } from '../build/builder.ts';
import { A3sError } from '../errors.ts';
import { CACHE_BYTES } from './cache-size.ts';
import { PROXY_PORT } from './ports.ts';

/** What tells a builder from other boxes, in `inspect` and `ps --filter`. */
const ROLE_LABEL = 'dev.a3s.role';
export const NAME_LABEL = 'dev.a3s.builder';

/** Where the daemon listens in the box. */
export const DOCKER_SOCKET = '/run/docker.sock';
/** The content store of its containerd, whose root `make/root.ts` says. */
export const BLOBS =
  '/var/lib/docker/containerd/daemon/io.containerd.content.v1.content/blobs/sha256';

const GIB = 1024 ** 3;
const MEMORY_BYTES = 2 * GIB;
/** And threads, of all steps and of the daemon: one that forks without end is refused more. */
const PROCESSES = 8192;
/** The daemon's own log is for people who look for a mistake; a build's output is not in it. */
const LOG_BYTES = 10 * 1024 * 1024;
const STOP_SECONDS = 30;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** @throws A3sError `invalid-argument` */
export function checkBuilderName(name: string): string {
  if (NAME.test(name)) return name;
  throw new A3sError('invalid-argument', `Invalid builder name: ${name.slice(0, 64)}`, {
    remedy: 'Use up to 63 letters, digits, dots, dashes and underscores.',
  });
}

/** The name of its box, and of the volume with its layers and caches. */
export function boxNameOf(name: string): string {
  return `a3s-builder-${name}`;
}

/** @param image id of the builder's image */
export function builderRequest(
  name: string,
  image: string,
  { certificate }: Pick<Builder['authority'], 'certificate'>,
  host: { readonly cpus: number; readonly memoryBytes: number },
): CreateRequest {
  const proxy = `http://127.0.0.1:${PROXY_PORT}`;
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
  const bytes = String(CACHE_BYTES);
  return {
    // It is restored from a memory snapshot.
    engine: 'qemu',
    ...{ name: boxNameOf(name), image, entrypoint: undefined, cmd: undefined },
    env: [
      ...proxies.map((variable) => `${variable}=${proxy}`),
      // Programs would ask these themselves, and reach nothing but the builder.
      'NO_PROXY=',
      'SSL_CERT_FILE=/run/builder/authority.pem',
      `A3S_BUILDER_AUTHORITY=${certificate}`,
    ],
    ...{ cwd: undefined, user: undefined, hostname: 'builder' },
    labels: { [ROLE_LABEL]: 'builder', [NAME_LABEL]: name },
    ...{ terminal: false, openStdin: false, stdinOnce: false },
    attach: { stdin: false, stdout: false, stderr: false },
    ...{ size: undefined, stopSignal: undefined, stopTimeout: STOP_SECONDS, autoRemove: false },
    memoryBytes: Math.min(MEMORY_BYTES, Math.floor(host.memoryBytes / 2)),
    ...{ nanoCpus: host.cpus * 1e9, limits: { ...NO_LIMITS, pids: PROCESSES } },
    security: { ...NO_SECURITY, privileged: true },
    restart: { name: 'no', maximumRetryCount: 0 },
    init: true,
    logging: {
      ...{ driver: 'json-file', maxBytes: LOG_BYTES, maxFiles: 2, compress: false },
      options: { 'max-size': '10m', 'max-file': '2' },
    },
    // Its programs reach the control server's proxy, and nothing else.
    ...{ health: undefined, network: 'none', endpoints: [], names: NO_NAMES },
    ...{ ports: [], exposedPorts: [], publishAll: false, binds: [] },
    volumeMounts: [
      {
        ...{ form: 'long', name: boxNameOf(name), destination: '/var/lib/docker', mode: '' },
        ...{
          readonly: false,
          noCopy: true,
          labels: { [ROLE_LABEL]: 'builder', [NAME_LABEL]: name },
        },
        kind: { options: { type: 'disk', size: bytes }, diskBytes: CACHE_BYTES },
      },
    ],
    ...{ imageMounts: [], mountsFrom: [], tmpfs: [], shmBytes: undefined, readonlyRootfs: false },
    ...{ storage: undefined, volumeDriver: undefined, volumes: [], containerIdFile: undefined },
    ...{ networkDisabled: undefined, shell: undefined, onBuild: undefined },
    argsEscaped: undefined,
  };
}
