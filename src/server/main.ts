/**
 * The control server's program: wiring only.
 *
 * @module
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runtimeDirectory } from '../boxes/record/directories.ts';
import type { Logger } from '../boxes/services/services.ts';
import { Dialer } from '../build/egress/dialer.ts';
import { type Config, readConfig, readyDescriptor } from '../config.ts';
import { readStreamAddress } from '../cri/streaming/stream-address.ts';
import { Engines } from '../engine/engines.ts';
import { KrunEngine } from '../engine/krun/krun-engine.ts';
import { QemuEngine } from '../engine/qemu/qemu-engine.ts';
import { converterInJail } from '../images/converter/converter.ts';
import { openImageStore } from '../images/store.ts';
import { setLeastJail, spawnInJail } from '../jail/spawn.ts';
import { CniNetworks } from '../networks/cni/cni-networks.ts';
import type { CniDirectories } from '../networks/cni/config.ts';
import type { HostNetworks } from '../networks/host/host-networks.ts';
import { NamespaceNetworks } from '../networks/host/namespace-networks.ts';
import { PortRelays } from '../networks/relay/port-relays.ts';
import { RelayingNetworks } from '../networks/relay/relaying-networks.ts';
import { RootlessNetworks } from '../networks/rootless/rootless-networks.ts';
import { NodeMounts } from '../pods/mounts/node-mounts.ts';
import { openDownloads } from '../registry/downloads.ts';
import { hostFiles } from '../registry/hosts/host.ts';
import { readProxies } from '../registry/hosts/proxies.ts';
import { readSystemRoots, rootsFiles } from '../registry/hosts/system-roots.ts';
import { openRegistry } from '../registry/open-registry.ts';
import { PinnedBootSets } from './home/boot-sets.ts';
import { openTrust } from './home/open-trust.ts';
import { exit } from './process/exit.ts';
import { Foreground } from './process/foreground.ts';
import { type Announcer, Readiness } from './process/readiness.ts';
import { type ServeOptions, serve } from './serve.ts';
import { activatedSockets } from './systemd/activated.ts';

/** Where Kubernetes' networks are installed, and where Debian has its plugins. */
const CNI: CniDirectories = { config: '/etc/cni/net.d', plugins: '/usr/lib/cni' };

async function main(): Promise<void> {
  // Other users have no access to any file that this server makes, whatever mode it asks for.
  process.umask(0o077);
  // The server mostly waits: after 30 MB of output its heap is 32 MB with this flag, and 70 MB
  // without.
  setFlagsFromString('--optimize-for-size');
  const starter = readyDescriptor(process.env);
  let announcer: Announcer = new Readiness(starter);
  let status = 0;
  try {
    const { values } = parseArgs({
      options: {
        foreground: { type: 'boolean' },
        restore: { type: 'boolean' },
        cri: { type: 'string' },
        'cri-stream-address': { type: 'string' },
        'cri-stream-cert': { type: 'string' },
        'cri-stream-key': { type: 'string' },
        'cni-conf-dir': { type: 'string' },
        'cni-bin-dir': { type: 'string' },
      },
    });
    if (values.foreground === true && starter === undefined) {
      announcer = new Foreground(process.env, process.pid, process.stderr);
    }
    const cni = {
      config: values['cni-conf-dir'] ?? CNI.config,
      plugins: values['cni-bin-dir'] ?? CNI.plugins,
    };
    const criStreams = readStreamAddress({
      address: values['cri-stream-address'],
      cert: values['cri-stream-cert'],
      key: values['cri-stream-key'],
    });
    const afterReboot = values.restore === true;
    await run(announcer, { afterReboot, cri: values.cri, criStreams }, cni);
  } catch (error) {
    status = await announcer.failed(error);
  }
  await exit(status);
}

async function run(
  announcer: Announcer,
  asked: Pick<ServeOptions, 'afterReboot' | 'cri' | 'criStreams'>,
  cni: CniDirectories,
): Promise<void> {
  const uid = process.geteuid?.() ?? 0;
  const config = readConfig(process.env, uid, installDirectory());
  setLeastJail(config.leastJail);
  const listening = await activatedSockets(announcer.listening, uid);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  const boot = new PinnedBootSets(config);
  const reached = { ...hostFiles(config.home, process.env), proxies: readProxies(process.env) };
  await serve(config, {
    signal: stop.signal,
    listening,
    ...asked,
    hostStops: () => announcer.hostStops(),
    openDependencies: async (database, log) => ({
      boot,
      engine: await openEngines(config, boot, log),
      registry: openRegistry(reached),
      downloads: openDownloads(reached),
      dialer: new Dialer(reached),
      trust: openTrust(config.home),
      hostNetworks: hostNetworks(config, uid, log),
      podNetworks: new CniNetworks(
        {
          ...cni,
          records: join(config.home, 'pod-networks'),
          namespaces: join(config.runtimeDir, 'pod-networks'),
        },
        log,
      ),
      podMounts: new NodeMounts(join(config.runtimeDir, 'pod-mounts'), (pod) =>
        runtimeDirectory(config, pod),
      ),
      images: await openImageStore({
        directory: join(config.home, 'images'),
        database,
        converter: converterInJail(join(installDirectory(), 'converter.cjs'), spawnInJail),
        onNameRemoved: (name) => log.info('an image lost a name that is refused now', { name }),
      }),
    }),
    onReady: (rt) => {
      announcer.ready(config.socket, rt);
      const pinned = new Set([
        ...rt.store.list().map(({ definition }) => definition.bootSet),
        ...rt.pods.bootSets(),
        ...rt.snapshots.list().map(({ bootSet }) => bootSet),
      ]);
      boot.sweep(pinned).catch((error) => rt.log.error('boot sets could not be swept', error));
    },
  });
}

function hostNetworks(config: Config, uid: number, log: Logger): RelayingNetworks {
  const bundle = join(installDirectory(), 'relay.cjs');
  const relays = new PortRelays(config.runtimeDir, bundle, log);
  return new RelayingNetworks(namespaceNetworks(config, uid, log), relays);
}

function namespaceNetworks({ runtimeDir }: Config, uid: number, log: Logger): HostNetworks {
  const directory = join(runtimeDir, 'networks');
  if (uid !== 0) {
    const bundle = join(installDirectory(), 'networks.cjs');
    return new RootlessNetworks(directory, log, { bundle, environment: process.env });
  }
  return new NamespaceNetworks(directory, log, {
    bundle: join(installDirectory(), 'egress.cjs'),
    // Read at each start of a program: an authority that was removed is not trusted any more.
    roots: () => readSystemRoots(rootsFiles(process.env)),
  });
}

async function openEngines(config: Config, sets: PinnedBootSets, log: Logger): Promise<Engines> {
  const { home, runtimeDir, kvmTimeoutMs, krunLibrary } = config;
  const boot = await sets.available();
  const qemu = new QemuEngine({
    ...{ boot, runtimeDir, kvmTimeoutMs },
    cacheFile: join(home, 'accelerator.json'),
    onLateProbe: (accelerator, reason) => {
      const found = accelerator === 'kvm' ? 'run with KVM' : 'are emulated, without KVM';
      log.info(`boxes ${found}`, { reason });
    },
  });
  const krun = new KrunEngine({
    ...{ boot, runtimeDir, probeMs: kvmTimeoutMs, library: krunLibrary },
    directory: join(home, 'krun'),
    program: join(installDirectory(), 'krun-shim.cjs'),
    modules: join(installDirectory(), 'node_modules'),
  });
  return new Engines(qemu, krun, config.engine);
}

/** The directory of the bundle, which also holds the boot set. */
function installDirectory(): string {
  return join(process.argv[1] ?? '.', '..');
}

void main();
