/**
 * As much of an API server as `kubectl` needs for one pod. Streams go to the streaming server with
 * the request as the client sent it, as kubelet passes them on.
 *
 * @module
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { StreamTarget } from '../../src/cri/streaming/stream-target.ts';

export const POD = 'web';
const CONTAINER = 'app';
const PODS = '/api/v1/namespaces/default/pods';

export interface PodStreams {
  /** The URL of a target, as the methods of CRI answer with it. */
  readonly url: (target: StreamTarget) => string;
  /** What a request asks for: `exec`, `attach` or `portforward`, with its options. */
  readonly target: (verb: string, options: URLSearchParams) => StreamTarget;
  /** The file of the container's log. */
  readonly log: string;
}

export class KubernetesApi {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  /** The protocols that clients upgraded to, in order. */
  readonly upgrades: string[] = [];

  private constructor(streams: PodStreams) {
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://api');
      if (pathname === `${PODS}/${POD}/log`) {
        response.writeHead(200, { 'content-type': 'text/plain' }).end(textOf(streams.log));
        return;
      }
      const document = DOCUMENTS[pathname];
      const status = document === undefined ? 404 : 200;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document ?? { kind: 'Status', status: 'Failure', code: 404 }));
    });
    this.#server.on('connection', (socket) => this.#keep(socket));
    this.#server.on('upgrade', (request, socket, head) => {
      this.upgrades.push(String(request.headers.upgrade).toLowerCase());
      this.#pass(streams, request, socket, head);
    });
  }

  static async start(streams: PodStreams): Promise<KubernetesApi> {
    const api = new KubernetesApi(streams);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  /** The text of a kubeconfig. */
  get kubeconfig(): string {
    const { port } = this.#server.address() as AddressInfo;
    return JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: 'test', user: {} }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(streams: PodStreams, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api');
    const url = new URL(
      streams.url(streams.target(pathname.split('/').at(-1) ?? '', searchParams)),
    );
    const to = this.#keep(connect(Number(url.port), url.hostname));
    const headers: string[] = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      headers.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
    }
    to.write(`${request.method} ${url.pathname} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    to.write(head);
    socket.pipe(to);
    to.pipe(socket);
    socket.once('close', () => to.destroy());
    to.once('close', () => socket.destroy());
  }

  #keep<T extends Duplex>(socket: T): T {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** As kubelet reads a log. */
function textOf(path: string): string {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [, tag, text = ''] = /^\S+ \w+ ([PF]) (.*)$/.exec(line) ?? [];
      return tag === 'F' ? `${text}\n` : text;
    })
    .join('');
}

const VERBS = ['get', 'create'];
const resource = (name: string, kind: string) => ({
  ...{ name, singularName: '', namespaced: true, kind, verbs: VERBS },
});

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    ...{ kind: 'APIResourceList', groupVersion: 'v1' },
    resources: [
      resource('pods', 'Pod'),
      resource('pods/attach', 'PodAttachOptions'),
      resource('pods/exec', 'PodExecOptions'),
      resource('pods/log', 'Pod'),
      resource('pods/portforward', 'PodPortForwardOptions'),
    ],
  },
  [`${PODS}/${POD}`]: {
    ...{ kind: 'Pod', apiVersion: 'v1' },
    metadata: { name: POD, namespace: 'default', uid: '1' },
    spec: { containers: [{ name: CONTAINER, image: 'app', stdin: true, tty: false }] },
    status: { phase: 'Running' },
  },
};
