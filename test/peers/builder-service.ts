/**
 * A builder without a microVM: Docker's own engine in namespaces of its own, which reaches no
 * network but its HTTP proxy.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Builder, Builders } from '../../src/build/builder.ts';
import { CACHE_BYTES, KEPT_BYTES } from '../../src/builders/cache-size.ts';
import { GIT } from '../../src/builders/make/git-script.ts';
import { BRIDGE, BRIDGE_PORT } from '../../src/builders/ports.ts';
import { testAuthority } from '../../src/registry/testing/test-authority.ts';
import { type EngineService, startEngine } from './engine-service.ts';

/**
 * In the network namespace of the engine, which no socket of a path belongs to. Steps reach the
 * second one by the engine's bridge.
 */
const FORWARDER = `
const net = require('node:net');
const forward = (path) => net.createServer({ allowHalfOpen: true }, (one) => {
  const other = net.connect({ path, allowHalfOpen: true });
  for (const each of [one, other]) each.on('error', () => { one.destroy(); other.destroy(); });
  one.pipe(other).pipe(one);
});
forward(process.argv[2]).listen(3128, '127.0.0.1');
forward(process.argv[3]).listen(${BRIDGE_PORT}, '0.0.0.0');
`;

/** Of a builder's disk, for its cache. */
const KEPT_SHARE = KEPT_BYTES / CACHE_BYTES;

export interface BuilderService {
  readonly builders: Builders;
  /** The engine's own socket, to look into it. */
  readonly socket: string;
  /** Cuts all connections to the engine, as its end does. */
  cut(): void;
  /** How many uses are held. */
  uses(): number;
  stop(): Promise<void>;
}

export interface BuilderOptions {
  readonly name?: string;
  /** Of the disk that the engine has its layers on; undefined for the host's. */
  readonly diskBytes?: number;
}

/** Undefined where dockerd, containerd, runc or the right to make namespaces is not at hand. */
export async function startBuilderService({
  name = 'default',
  diskBytes,
}: BuilderOptions = {}): Promise<BuilderService | undefined> {
  let directory = '';
  let authority: Builder['authority'] | undefined;
  const keptBytes = Math.floor((diskBytes ?? CACHE_BYTES) * KEPT_SHARE);
  const engine = await startEngine({
    name: 'builder',
    programs: ['dockerd', 'containerd', 'runc'],
    controlGroup: (name) => name,
    command: (made) => {
      directory = made;
      const at = (name: string): string => join(directory, name);
      if (diskBytes !== undefined) mountDisk(at('disk'), at('root'), diskBytes);
      const files = testAuthority(directory);
      authority = {
        certificate: files.ca,
        privateKey: readFileSync(files.caFile.replace(/crt$/, 'key'), 'utf8'),
      };
      writeFileSync(
        at('daemon.json'),
        JSON.stringify({
          features: { 'containerd-snapshotter': true },
          builder: { gc: { enabled: true, defaultKeepStorage: String(keptBytes) } },
        }),
      );
      writeFileSync(at('forwarder.cjs'), FORWARDER);
      mkdirSync(at('bin'));
      const git = GIT.replace(/(GIT_SSL_CAINFO=).*/, `$1${files.caFile}`);
      writeFileSync(at('bin/git'), git, { mode: 0o755 });
      const socket = at('docker.sock');
      const places = `--config-file ${at('daemon.json')} --pidfile ${at('docker.pid')}`;
      const storage = `--data-root ${at('root')} --exec-root ${at('run')}`;
      const network = `--bip ${BRIDGE}/16 --iptables=false --ip6tables=false --userland-proxy=false`;
      const groups = `--group root --cgroup-parent /${basename(directory)}`;
      const start = `dockerd ${places} ${storage} ${network} ${groups} --host unix://${socket}`;
      const forward = `${process.execPath} ${at('forwarder.cjs')} ${at('proxy.sock')} ${at('steps.sock')}`;
      return {
        words: ['sh', '-c', `${forward} & exec ${start}`],
        socket,
        env: {
          ...{ HTTP_PROXY: 'http://127.0.0.1:3128', HTTPS_PROXY: 'http://127.0.0.1:3128' },
          SSL_CERT_FILE: files.caFile,
          PATH: `${at('bin')}:${process.env['PATH']}`,
        },
        clean: () => {
          if (diskBytes !== undefined) execFileSync('umount', [at('root')]);
        },
      };
    },
  });
  if (engine === undefined || authority === undefined) return undefined;
  return serviceOf(engine, directory, { name, authority, keptBytes });
}

/** Made as the disks of volumes are. */
function mountDisk(file: string, directory: string, bytes: number): void {
  mkdirSync(directory);
  execFileSync('truncate', ['-s', String(bytes), file]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', file]);
  execFileSync('mount', ['-o', 'loop', file, directory]);
}

function listenAt(path: string, serve: (connection: Duplex) => void): () => void {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, serve);
  server.listen(path);
  return () => server.close();
}

function serviceOf(
  engine: EngineService,
  directory: string,
  { name, authority, keptBytes }: Pick<Builder, 'name' | 'authority' | 'keptBytes'>,
): BuilderService {
  let uses = 0;
  const connections = new Set<Socket>();
  const builder: Builder = {
    name,
    authority,
    image: 'docker.io of this host',
    cacheDisk: directory,
    keptBytes,
    dial: () =>
      new Promise((resolve, reject) => {
        const connection = connect({ path: engine.socket, allowHalfOpen: true });
        connections.add(connection);
        connection.once('close', () => connections.delete(connection));
        connection.once('connect', () => resolve(connection));
        connection.once('error', reject);
      }),
    blobArchive: async (digest) => {
      const blobs = 'root/containerd/daemon/io.containerd.content.v1.content/blobs/sha256';
      const from = ['-C', join(directory, blobs), digest.slice('sha256:'.length)];
      return spawn('tar', ['-c', ...from], { stdio: ['ignore', 'pipe', 'ignore'] }).stdout;
    },
    stepProxy: `http://${BRIDGE}:${BRIDGE_PORT}`,
    serveProxy: (serve) => listenAt(join(directory, 'proxy.sock'), serve),
    serveStepProxy: (serve) => listenAt(join(directory, 'steps.sock'), serve),
  };
  return {
    socket: engine.socket,
    cut: () => {
      for (const connection of connections) connection.destroy();
    },
    uses: () => uses,
    builders: {
      runs: () => true,
      use: () => {
        uses += 1;
        return Promise.resolve({
          builder,
          release: () => {
            uses -= 1;
          },
        });
      },
    },
    stop: () => engine.stop(),
  };
}
