/**
 * The control server of one home: records, boxes and images behind a unix socket.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { arch, availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { KeyedLock } from '../async/keyed-lock.ts';
import { settleAll } from '../async/settle-all.ts';
import { type AdoptionOptions, type AdoptionTiming, adoptBoxes } from '../boxes/adopt/adopt.ts';
import { adoptNetworks, watchNetworks } from '../boxes/adopt/networks.ts';
import { keepsOutput } from '../boxes/output/keeps-output.ts';
import { Outputs } from '../boxes/output/outputs.ts';
import { judgeImage } from '../boxes/policy/authorize-image.ts';
import { refusalAttributes } from '../boxes/policy/trust-record.ts';
import { Pools } from '../boxes/pool/pools.ts';
import { PoolRecords } from '../boxes/pool/records.ts';
import { DEFAULT_LOGGING } from '../boxes/record/box.ts';
import { now, timestamp } from '../boxes/record/clock.ts';
import { boxDirectory } from '../boxes/record/directories.ts';
import { mayHaveVm } from '../boxes/record/states.ts';
import { BoxStore } from '../boxes/record/store.ts';
import { Restarts } from '../boxes/restart/restarts.ts';
import { Execs } from '../boxes/run/execs.ts';
import { RunningBoxes } from '../boxes/run/running-box.ts';
import { updateLinks } from '../boxes/run/update-links.ts';
import type { Runtime } from '../boxes/runtime.ts';
import { Events } from '../boxes/services/events.ts';
import { restartAfterReboot, restartByPolicy } from '../boxes/start/start.ts';
import { endUnfinishedSnapshots } from '../boxes/verbs/snapshot.ts';
import { type StopAllHost, stopForHost } from '../boxes/verbs/stop-for-host.ts';
import type { Builders } from '../build/builder.ts';
import { Builds } from '../build/builds.ts';
import { BuildEgress } from '../build/egress/build-egress.ts';
import { BoxBuilders } from '../builders/box-builders.ts';
import type { Config } from '../config.ts';
import type { StreamAddress } from '../cri/streaming/stream-address.ts';
import { identityFor } from '../jail/identity.ts';
import { hostSubnets } from '../networks/host-subnets.ts';
import { NetworkRecords } from '../networks/records.ts';
import { adoptPods } from '../pods/adopt/adopt-pods.ts';
import { makePodTemplate } from '../pods/launch/make-pod-template.ts';
import { RunningPods } from '../pods/launch/running-pod.ts';
import { stopPodsForHost } from '../pods/launch/stop-pods-for-host.ts';
import { PodStore } from '../pods/record/store.ts';
import { SnapshotRecords } from '../snapshots/records.ts';
import { Snapshots } from '../snapshots/snapshots.ts';
import { openDatabase } from '../state/database.ts';
import { keepReserve } from '../state/reserve.ts';
import { makeBlankDisk } from '../templates/blank-disk.ts';
import { VolumeRecords } from '../volumes/records.ts';
import { Volumes } from '../volumes/volumes.ts';
import { BuilderSockets } from './builder-sockets.ts';
import { checkCriSocket, type ServedCri, serveCri } from './cri.ts';
import type { Dependencies, OpenDependencies } from './dependencies.ts';
import {
  leaveRuntimeDir,
  prepareHome,
  prepareRuntimeDir,
  refuseOrphans,
} from './home/directories.ts';
import { FileLog } from './home/log.ts';
import { MIGRATIONS } from './home/migrations.ts';
import { openNetworks } from './home/open-networks.ts';
import { openTemplates } from './home/open-templates.ts';
import { HttpServer } from './http-server.ts';
import type { ServerRuntime } from './server-runtime.ts';
import type { ActivatedSocket } from './systemd/activated.ts';

export interface ServeOptions {
  /** Ends the server; boxes run on, unless the host ends. */
  readonly signal: AbortSignal;
  /** Called when that signal aborts. */
  readonly hostStops?: (() => Promise<boolean>) | undefined;
  readonly openDependencies: OpenDependencies;
  /** Called once requests are answered. */
  readonly onReady?: (rt: ServerRuntime) => void;
  readonly adoption?: AdoptionTiming | undefined;
  /** Whether boxes are started whose restart policy asks for it, as after a reboot of the host. */
  readonly afterReboot?: boolean | undefined;
  /** Sockets that a service manager listens on. They are neither made nor removed here. */
  readonly listening?: readonly ActivatedSocket[] | undefined;
  /** The path of a socket for Kubernetes' CRI, absolute. Absent: CRI is not served. */
  readonly cri?: string | undefined;
  /** Where the streams of CRI are served. Absent: on the loopback. */
  readonly criStreams?: StreamAddress | undefined;
  /** Whether file servers keep the owners that boxes give to files. Absent: root's do. */
  readonly keepOwners?: boolean | undefined;
}

/** Concurrent starts by restart policies; each takes a processor or two. */
export const RESTARTS_AT_ONCE = Math.max(2, Math.floor(availableParallelism() / 2));

/**
 * How long the boxes get when the host shuts down, before they are killed. Together with the check
 * for the shutdown and the kill, it stays below the time that systemd gives the service
 * (`TimeoutStopSec=`).
 */
export const HOST_STOP_MS = 30_000;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };

/**
 * Serves until the signal aborts or a client asks for the end. It adopts the boxes of an earlier
 * server before it answers the first request, except those whose microVMs take long to answer.
 *
 * @throws A3sError `server-running` when this home has a server; `state-unusable`
 */
export async function serve(config: Config, options: ServeOptions): Promise<void> {
  const uid = process.geteuid?.() ?? 0;
  await prepareHome(config, uid);
  const database = openDatabase(join(config.home, 'state.db'), MIGRATIONS, () =>
    refuseOrphans(config),
  );
  const log = new FileLog(join(config.home, 'server.log'));
  const reserve = keepReserve(database, join(config.home, 'state.reserve'), {
    onChange: (change, error) => {
      if (change === 'given-up') log.info('the disk is full: ends use the reserve for records');
      else if (change === 'made') log.info('the reserve for records is whole again');
      else log.error('the reserve for records could not be made', error);
    },
  });
  try {
    const noneRuns = await prepareRuntimeDir(config, uid);
    try {
      if (options.cri !== undefined) await checkCriSocket(options.cri);
      const store = new BoxStore(database);
      const stopped = new AbortController();
      const shutdown = stopped.signal;
      let beforeStop: (() => Promise<void>) | undefined;
      whenAborted(options.signal, () => {
        if (beforeStop === undefined) stopped.abort();
        else void beforeStop().finally(() => stopped.abort());
      });
      const dependencies = await options.openDependencies(database, log);
      const records = new SnapshotRecords(database);
      const snapshots = new Snapshots({ home: config.home, uid, records });
      const stopServer = (): void => stopped.abort();
      const pods = new PodStore(database);
      const given = { store, pods, snapshots, log, shutdown, stopServer, ...dependencies };
      const rt = await createRuntime(config, given, {
        pools: new PoolRecords(database),
        volumes: new VolumeRecords(database),
        networks: new NetworkRecords(database),
        keepOwners: options.keepOwners ?? uid === 0,
      });
      const { hostStops } = options;
      if (hostStops !== undefined) beforeStop = () => endBoxesWithHost(rt, hostStops);
      await serveRuntime(config, rt, { ...options, noneRuns });
    } finally {
      // The socket may be a dead server's: this server may have ended before it listened.
      await removeSocket(config, options);
      await leaveRuntimeDir(config);
    }
  } finally {
    reserve[Symbol.dispose]();
    database.close();
  }
}

async function endBoxesWithHost(
  rt: StopAllHost & Parameters<typeof stopPodsForHost>[0],
  hostStops: () => Promise<boolean>,
): Promise<void> {
  try {
    if (!(await hostStops())) return;
    await settleAll([stopForHost(rt, HOST_STOP_MS), stopPodsForHost(rt, HOST_STOP_MS)]);
  } catch (error) {
    rt.log.error('not all boxes could be stopped', error);
  }
}

async function serveRuntime(
  config: Config,
  rt: ServerRuntime & Pick<Dependencies, 'downloads'>,
  options: ServeOptions & Pick<AdoptionOptions, 'noneRuns'>,
): Promise<void> {
  const http = new HttpServer(rt);
  rt.restarts.begin({
    restart: (id, run) => restartByPolicy(rt, id, run),
    afterReboot: (id, run) => restartAfterReboot(rt, id, run),
  });
  let swept: Promise<void> | undefined;
  let cri: ServedCri | undefined;
  try {
    // In the background: a volume may have millions of files.
    swept = rt.volumes.sweep((error, volume) => {
      rt.log.error('a volume could not be removed', error, { volume });
    });
    await adoptNetworks(rt);
    const { adoption: timing, afterReboot, noneRuns } = options;
    await adoptBoxes(rt, { timing, afterReboot, noneRuns });
    await adoptPods(rt, timing);
    // Not before it is known which boxes run: a repair opens their ports.
    watchNetworks(rt);
    // Those that they lead to may have come and gone meanwhile.
    void updateLinks(rt);
    await endUnfinishedSnapshots(rt);
    await rt.builders.open();
    if (rt.shutdown.aborted) return;
    rt.builderSockets.begin((builds, path) => serveOn(path, { ...rt, builds }));
    const given = options.listening ?? [];
    const own = given.some(({ path }) => path === config.socket) ? undefined : config.socket;
    await http.listen(
      own,
      given.map(({ descriptor }) => descriptor),
    );
    if (options.cri !== undefined) {
      cri = await serveCri(rt, options.cri, options.criStreams);
      rt.log.info('serving CRI', { socket: options.cri });
    }
    rt.log.info('serving', { pid: process.pid, boxes: rt.store.list().length });
    options.onReady?.(rt);
    rt.templates.refresh();
    await rt.pools.open();
    if (cri !== undefined) await makePodTemplate(rt);
    await aborted(rt.shutdown);
  } finally {
    // The socket goes first, so that the next server's socket is never removed.
    await removeSocket(config, options);
    await Promise.all([http.close(), rt.builderSockets.close(), cri?.close()]);
    // A builder that is being started is let go like any other box.
    await Promise.all([rt.builders.close(), letGo(rt)]);
    await swept;
    await rt.engine.close();
    await rt.registry.close();
    await rt.downloads.close();
    rt.log.info('stopped', { pid: process.pid });
  }
}

/** The socket of a builder, which goes when the server ends. */
async function serveOn(path: string, rt: ServerRuntime): Promise<{ close(): Promise<void> }> {
  const http = new HttpServer(rt);
  await http.listen(path);
  return {
    close: async () => {
      await rm(path, { force: true });
      await http.close();
    },
  };
}

/** A service manager's socket stays: clients that connect now wait in it for the next server. */
async function removeSocket(config: Config, { listening }: ServeOptions): Promise<void> {
  if (listening?.some(({ path }) => path === config.socket) === true) return;
  await rm(config.socket, { force: true });
}

/**
 * Leaves every box running, with its output stored up to here. When this returns no work on any box
 * is left, so the next server can begin.
 */
async function letGo(
  rt: Pick<ServerRuntime, 'running' | 'runningPods' | 'locks' | 'pools' | 'outputs' | 'templates'>,
): Promise<void> {
  const boxes = rt.running.list();
  await Promise.all([...boxes, ...rt.runningPods.list()].map((running) => running.release()));
  await rt.locks.idle();
  // Nothing takes a pooled VM any more.
  await rt.pools.close();
  await Promise.all(boxes.filter(({ watched }) => watched).map(({ finished }) => finished));
  await rt.outputs.close();
  // Last: until here a start could have used them.
  await rt.templates.close();
}

async function createRuntime(
  config: Config,
  given: Dependencies &
    Pick<ServerRuntime, 'store' | 'pods' | 'snapshots' | 'log' | 'shutdown' | 'stopServer'>,
  records: {
    readonly pools: PoolRecords;
    readonly volumes: VolumeRecords;
    readonly networks: NetworkRecords;
    readonly keepOwners: boolean;
  },
): Promise<ServerRuntime & Pick<Dependencies, 'downloads'>> {
  const { home, runtimeDir, startTimeoutMs } = config;
  const { log } = given;
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const events = new Events();
  const [running, locks] = [new RunningBoxes(), new KeyedLock()];
  const rt = {
    ...{ home, runtimeDir, startTimeoutMs },
    ...given,
    host: {
      cpus: availableParallelism(),
      memoryBytes: totalmem(),
      architecture: ARCHITECTURES[arch()] ?? arch(),
    },
    events,
    volumes: openVolumes(home, records, { ...given, events, running }),
    networks: openNetworks(records.networks, { ...given, events, running, locks }),
    running,
    runningPods: new RunningPods(),
    outputs: new Outputs(
      (id) => boxDirectory({ home }, id),
      (id, error) =>
        log.error('output could not be written; the box is held back', error, { box: id }),
      (id, keptAs) =>
        log.error('output was damaged; what can be read of it goes on', 'damaged', {
          box: id,
          keptAs,
        }),
      (id) => {
        const box = given.store.get(id);
        if (box === undefined) return DEFAULT_LOGGING;
        return keepsOutput(box) ? box.definition.logging : undefined;
      },
    ),
    execs: new Execs(),
    locks,
    restarts: new Restarts(given.shutdown, RESTARTS_AT_ONCE),
    identityFor: (taken: Iterable<number>) => identityFor(uid, gid, taken),
  };
  const templates = await openTemplates(config, rt);
  const host = { ...rt, templates };
  const served = Object.assign(host, { pools: new Pools(host, records.pools) });
  const builders = new BoxBuilders(served, config.builder);
  const builds = openBuilds(home, given.builders ?? builders, { ...given, events });
  const builderSockets = new BuilderSockets(runtimeDir, builds);
  return Object.assign(served, { builders, builds, builderSockets });
}

function openBuilds(
  home: string,
  builders: Builders,
  given: Dependencies & Pick<Runtime, 'events' | 'log' | 'shutdown'>,
): Builds {
  const { images, registry, downloads, dialer, trust, events, log, shutdown } = given;
  return new Builds({
    ...{ builders, images, registry, downloads, dialer, trust, log, shutdown },
    egress: new BuildEgress({ home, hostSubnets }),
    directory: join(home, 'build'),
    judge: (image, name) =>
      judgeImage(given, { image, reference: name, names: [name], confidential: false }),
    refused: (name, decision) => {
      const attributes = refusalAttributes(name, decision);
      events.publish('image', 'trust-refused', decision.image.manifestDigest, attributes);
    },
  });
}

function openVolumes(
  home: string,
  { volumes: records, keepOwners }: { volumes: VolumeRecords; keepOwners: boolean },
  { store, events, running, shutdown }: Pick<Runtime, 'store' | 'events' | 'running' | 'shutdown'>,
): Volumes {
  return new Volumes({
    home,
    records,
    shutdown,
    keepOwners,
    makeDisk: makeBlankDisk,
    running: store
      .list()
      .flatMap(({ definition: { id }, state }) => (mayHaveVm(state.status) ? [id] : [])),
    mayHaveVm: (id) => {
      const box = store.get(id);
      if (box === undefined) return false;
      return mayHaveVm(box.state.status) || running.copying.has(id);
    },
    usersOf: (name) =>
      store
        .list()
        .flatMap(({ definition: { id, volumeMounts } }) =>
          volumeMounts.some((mount) => mount.name === name) ? [id] : [],
        ),
    onEvent: (action, { name }) => events.publish('volume', action, name, { driver: 'local' }),
    now: () => timestamp(now()),
  });
}

function whenAborted(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
