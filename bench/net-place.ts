/**
 * Boxes of an actor, or containers of podman, between which a program of the benchmark works: one
 * in the default network, and two in a network of their own.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../test/e2e/processes.ts';

export const SERVED = '7000';
const HTTP = '80';
/** On the host, or where podman runs. */
const HOST_PORT = '7001';
const NETWORK = 'net-bench';
const HOST_NAME = 'outside';
const TOOLS = '/tools';
const PROGRAM = `${TOOLS}/net-work`;

/** One process, as a container of one program has it. The page is in the image. */
const NGINX = `worker_processes 1;
error_log /dev/null;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  server { listen ${HTTP}; root /usr/share/nginx/html; }
}
`;

/** An engine, and the host beside it. */
export interface Engine {
  /** A command of the engine that succeeds. */
  readonly ok: (args: readonly string[]) => Promise<string>;
  /** The same of `run`. */
  readonly run: (args: readonly string[]) => Promise<string>;
  /** A program outside of boxes. */
  readonly beside: (command: readonly string[]) => Promise<string>;
  readonly image: string;
}

/** Where a client works, and what it connects to. */
export interface Route {
  readonly client: (command: readonly string[]) => Promise<string>;
  readonly address: string;
  readonly port: string;
}

/** The ways that are measured, by their names. */
export interface NetPlace {
  readonly routes: Readonly<Record<string, Route>>;
  /** Those to nginx. */
  readonly pages: Readonly<Record<string, Route>>;
}

/** The program and nginx's configuration, which both engines mount. */
export function makeTools(directory: string): void {
  mkdirSync(directory, { mode: 0o755 });
  const source = join(import.meta.dirname, 'peers/net-work.c');
  execFileSync('gcc', ['-static', '-O2', '-o', join(directory, 'net-work'), source]);
  writeFileSync(join(directory, 'nginx.conf'), NGINX);
  chmodSync(directory, 0o755);
}

/** @param directory with the tools; those of the host are used from there, too */
export async function makePlace(engine: Engine, directory: string): Promise<NetPlace> {
  const tool = join(directory, 'net-work');
  await engine.ok(['network', 'create', NETWORK]);
  const serving = `nginx -c ${TOOLS}/nginx.conf && exec ${PROGRAM} serve ${SERVED}`;
  const start = (name: string, ...options: readonly string[]): Promise<string> =>
    engine.run([
      ...['-d', '--name', name, '-v', `${directory}:${TOOLS}:ro`],
      ...['--add-host', `${HOST_NAME}:host-gateway`, ...options],
      ...[engine.image, 'sh', '-c', serving],
    ]);
  const published = ['-p', `127.0.0.1::${SERVED}`, '-p', `127.0.0.1::${HTTP}`];
  await start('alone', ...published);
  await start('server', '--network', NETWORK, ...published);
  await start('client', '--network', NETWORK);
  await engine.beside(['sh', '-c', `"$0" serve ${HOST_PORT} >/dev/null 2>&1 </dev/null &`, tool]);

  const within = (name: string) => (command: readonly string[]) =>
    engine.ok(['exec', name, PROGRAM, ...command]);
  const outside = (command: readonly string[]) => engine.beside([tool, ...command]);
  const portOf = async (name: string, port: string): Promise<Route> => {
    const said = await engine.ok(['port', name, `${port}/tcp`]);
    const [, found = ''] = /:(\d+)$/m.exec(said) ?? [];
    return { client: outside, address: '127.0.0.1', port: found };
  };
  const hostOf = async (name: string): Promise<Route> => {
    const hosts = await engine.ok(['exec', name, 'cat', '/etc/hosts']);
    const [, address = ''] = new RegExp(`^(\\S+)\\s+${HOST_NAME}$`, 'm').exec(hosts) ?? [];
    return { client: within(name), address, port: HOST_PORT };
  };
  const path = `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`;
  const address = await engine.ok(['inspect', '--format', path, 'server']);
  const between = { client: within('client'), address, port: SERVED };
  const routes = {
    'default-published': await portOf('alone', SERVED),
    'default-outbound': await hostOf('alone'),
    'network-published': await portOf('server', SERVED),
    'network-outbound': await hostOf('client'),
    'network-between': between,
  };
  const pages = {
    'default-published': await portOf('alone', HTTP),
    'network-published': await portOf('server', HTTP),
    'network-between': { ...between, port: HTTP },
  };
  for (const [name, route] of [...Object.entries(routes), ...Object.entries(pages)]) {
    await until(`${name} is served`, () => isServed(route));
  }
  return { routes, pages };
}

async function isServed({ client, address, port }: Route): Promise<boolean> {
  try {
    await client(['throughput', address, port, '0']);
    return true;
  } catch {
    return false;
  }
}
