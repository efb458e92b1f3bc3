/**
 * A container of a pod: the routes of a box, below the path of the container.
 *
 * @module
 */
import type { ContainerRequest, ContainerSpec } from '@a3s-box/policies';
import { expectProtocol } from './expect-protocol.ts';
import { GuestBox } from './guest-box.ts';
import type { RequestConnection } from './http2-connection.ts';
import { ProcessId, SpecTaken } from './protocol.ts';
import { nothing, SETUP_MS } from './request-options.ts';

/** How long the end of a container may take: the agent waits for processes and for a disk. */
const REMOVE_MS = 60_000;

export class GuestContainer extends GuestBox {
  readonly id: string;
  readonly #pod: RequestConnection;

  /** Throws for a malformed id, which would otherwise name another route. */
  constructor(pod: RequestConnection, id: string) {
    super(below(pod, pathOf(id)));
    this.id = id;
    this.#pod = pod;
  }

  /**
   * Sends the container's spec, once, which sets it up: its disks are attached already, or about to
   * be. Returns the digest of the bytes that arrived. Where it is refused, the container still has
   * to be removed.
   */
  async put(spec: ContainerSpec, signal?: AbortSignal): Promise<string> {
    if (spec.pids !== undefined) expectProtocol(this.#pod, 16, 'PID namespaces that are shared');
    const options = { signal, deadlineMs: SETUP_MS };
    return (await this.#pod.call('PUT', pathOf(this.id), spec, SpecTaken, options)).spec;
  }

  /**
   * Asks a confidential pod for a container of its launch spec, once. The guest makes what that
   * says, or refuses by it. Otherwise as `put`. Protocol 20.
   */
  async request(request: ContainerRequest, signal?: AbortSignal): Promise<string> {
    expectProtocol(this.#pod, 20, 'confidential pods');
    const options = { signal, deadlineMs: SETUP_MS };
    return (await this.#pod.call('PUT', pathOf(this.id), request, SpecTaken, options)).spec;
  }

  /**
   * Ends its processes and removes it, set up or not. Its disks can be detached then, also where
   * this rejects with `agent-failed` because its writable layer could not be left clean.
   */
  async remove(signal?: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: REMOVE_MS };
    await this.#pod.call('DELETE', pathOf(this.id), undefined, nothing, options);
  }
}

/** Its requests go below another path than a box has. */
function below(connection: RequestConnection, path: string): RequestConnection {
  const within = (route: string): string => `${path}${route.slice('/v1'.length)}`;
  return {
    get version() {
      return connection.version;
    },
    open: (method, route, options) => connection.open(method, within(route), options),
    openInOrder: (method, route, options) => connection.openInOrder(method, within(route), options),
    call: (method, route, ...rest) => connection.call(method, within(route), ...rest),
  };
}

function pathOf(id: string): string {
  return `/v1/containers/${ProcessId.parse(id)}`;
}
