/**
 * Takes over the boxes that an earlier server left, at whatever point it ended.
 *
 * @module
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import { PROBE_DIRECTORIES } from '../../engine/engine.ts';
import type { Vm } from '../../engine/vm/vm.ts';
import { MAIN } from '../../guest/protocol.ts';
import { isRecordFull } from '../../state/reserve.ts';
import { guestStatePath } from '../confidential/vm.ts';
import { layersOf } from '../disks/backing-chain.ts';
import { writableLayerPath } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { runtimeDirectory } from '../record/directories.ts';
import { mayHaveVm } from '../record/states.ts';
import { vmOf } from '../record/vm-of.ts';
import { isRestartedAfterReboot } from '../restart/restart-policy.ts';
import type { RunServices } from '../run/run-services.ts';
import { RunningBox } from '../run/running-box.ts';
import { type ReconcileHost, reconcileAdopted } from '../run/running-limits.ts';
import type { Services } from '../services/services.ts';
import { abandon } from '../start/abandon.ts';
import { enterRunning } from '../start/main-process.ts';
import { drainExecs } from '../supervise/drain-execs.ts';
import { removeLocked } from '../supervise/remove.ts';
import { retryRecord } from '../supervise/retry-record.ts';
import { supervise } from '../supervise/supervise.ts';
import { endOrphaned, type OrphanHost } from './orphaned.ts';
import { type ReconcileNetworksHost, reconcileNetworks } from './reconcile-networks.ts';

/** How long microVMs may take to answer the server that takes over. */
export interface AdoptionTiming {
  /** How often, and how far apart, a microVM that does not answer is asked. */
  readonly attempts: number;
  readonly pauseMs: number;
  /**
   * How long requests wait for microVMs. After it they are answered, also where some microVMs did
   * not answer.
   */
  readonly serveAfterMs: number;
}

const TIMING: AdoptionTiming = { attempts: 6, pauseMs: 5000, serveAfterMs: 5000 };

export interface AdoptionOptions {
  readonly timing?: AdoptionTiming | undefined;
  /**
   * Whether to start the boxes whose policies say so when the host, and this server with it, was
   * started.
   */
  readonly afterReboot?: boolean | undefined;
  /**
   * Whether no box of an earlier server can run, since none has sockets. No client is left that
   * could start a box with `--rm`, and a power cut may have removed every trace of its run.
   */
  readonly noneRuns?: boolean | undefined;
}

/** What adoption needs of the server. */
export type AdoptionHost = OrphanHost &
  ReconcileHost &
  ReconcileNetworksHost &
  Pick<Services, 'startTimeoutMs' | 'pods'>;

/**
 * Reconciles every record with what exists. When it returns, every box whose microVM answers is
 * followed. What must wait for a microVM or a guest goes on in the background, under the box's
 * lock; so do starts by policies.
 */
export async function adoptBoxes(
  rt: AdoptionHost,
  { timing = TIMING, afterReboot = false, noneRuns = false }: AdoptionOptions = {},
): Promise<void> {
  await sweepDirectories(rt);
  const shutdown = linkedSignal(rt.shutdown);
  const timer = new AbortController();
  const abort = (): void => timer.abort();
  shutdown.signal.addEventListener('abort', abort);
  if (rt.shutdown.aborted) abort();
  const late = delay(timing.serveAfterMs, undefined, { signal: timer.signal }).catch(
    () => undefined,
  );
  try {
    await Promise.race([
      late,
      Promise.all(
        rt.store.list().map((box) => adoptBox(rt, box, { timing, afterReboot, noneRuns })),
      ),
    ]);
  } finally {
    shutdown.unlink();
    timer.abort();
  }
}

/**
 * Settles when the box's fate is decided. Never rejects: one box must not keep the others from it.
 */
function adoptBox(
  rt: AdoptionHost,
  box: Box,
  options: Required<AdoptionOptions> & { timing: AdoptionTiming },
): Promise<void> {
  const { id } = box.definition;
  const failure = 'a box could not be adopted: the disk has no room for its record';
  return new Promise((answered) => {
    const isRetried = (error: unknown): boolean => {
      answered();
      return isRecordFull(error) && !rt.shutdown.aborted;
    };
    // Verbs for this box find its lock taken, and wait. Between two attempts it is free, so that
    // they answer.
    retryRecord(rt, { fields: { box: id }, failure, isRetried }, () =>
      rt.locks.run(id, async () => {
        await reconcileBox(rt, id, options, answered);
        if (options.afterReboot === true) queueRestart(rt, id);
      }),
    )
      .catch((error: unknown) => {
        if (!rt.shutdown.aborted) rt.log.error('a box could not be adopted', error, { box: id });
      })
      .finally(answered);
  });
}

/** Queues the start of a box whose policy asks for it after a reboot. */
function queueRestart(rt: Pick<RunServices, 'store' | 'restarts'>, id: string): void {
  const box = rt.store.get(id);
  if (box === undefined || !isRestartedAfterReboot(box)) return;
  rt.restarts.startAfterReboot(id, box.state.run);
}

async function reconcileBox(
  rt: AdoptionHost,
  id: string,
  {
    timing,
    noneRuns,
  }: { readonly timing: AdoptionTiming; readonly noneRuns?: boolean | undefined },
  answered: () => void,
): Promise<void> {
  const box = rt.store.get(id);
  const known = rt.running.get(id);
  // Of an attempt whose record could not be written.
  if (box === undefined || known?.watched === true) return;
  if (known !== undefined) return await reconcileStart(rt, box, known);
  const { status, run, incomplete } = box.state;
  if (incomplete === true) return await removeLocked(rt, box.definition.id, { volumes: true });
  const over = !mayHaveVm(status) && (run > 0 || noneRuns === true);
  if (status === 'removing' || (over && box.definition.autoRemove)) {
    return await removeLocked(rt, box.definition.id);
  }
  if (status === 'restarting') return rt.restarts.wait(box);
  if (!mayHaveVm(status)) return await dropUnusedDisk(rt, box.definition.id);
  const vm = await findVm(rt, box, timing, answered);
  if (vm === undefined || vm === 'silent') {
    const why = vm ?? 'gone';
    await endOrphaned(
      rt,
      box,
      why === 'gone' ? 'it was gone when the server came' : 'its microVM did not answer',
    );
    return await dropUnusedDisk(rt, box.definition.id);
  }
  if (rt.shutdown.aborted) return await vm.release();
  const running = new RunningBox(box.definition.id, run, vm, { connectMs: rt.startTimeoutMs });
  rt.running.add(running);
  rt.log.info('adopted a box', { box: running.id, pid: vm.pid });
  if (status !== 'starting') {
    supervise(rt, running);
    void drainExecs(rt, running);
    // The guest may take its time. Verbs for this box wait.
    answered();
    return await reconcileAdopted(rt, running, () => reconcileNetworks(rt, running));
  }
  // The guest may still be booting.
  answered();
  await reconcileStart(rt, box, running);
}

/**
 * Removes the disk of a box that never ran. A power cut during its first start may have left the
 * name of the disk without its content. Nothing on it was promised to anybody, unless the
 * record says so.
 */
async function dropUnusedDisk(rt: Pick<Services, 'store' | 'home'>, id: string): Promise<void> {
  const box = rt.store.get(id);
  if (box === undefined || box.state.startedAt !== undefined || mayHaveVm(box.state.status)) return;
  if (box.state.hasFiles === true) return;
  for (const file of await layersOf(writableLayerPath(rt, id))) await rm(file, { force: true });
}

/** The box's microVM; undefined when it is gone, `silent` when it exists and does not answer. */
async function findVm(
  rt: Pick<Services, 'home' | 'runtimeDir' | 'engine' | 'log' | 'shutdown'>,
  box: Box,
  timing: AdoptionTiming,
  answered: () => void,
): Promise<Vm | 'silent' | undefined> {
  const { id, directory } = vmOf(rt, box);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await rt.engine.adopt(id, directory, confidentialOf(rt, box));
    } catch (error) {
      rt.log.error('a microVM did not answer', error, { box: box.definition.id, attempt });
    }
    answered();
    if (attempt === timing.attempts) return 'silent';
    await delay(timing.pauseMs, undefined, { signal: rt.shutdown });
  }
}

/** How the server goes on answering as the processor of a box whose processor is simulated. */
function confidentialOf(rt: Pick<Services, 'home'>, { definition: { id, confidential } }: Box) {
  if (confidential === undefined) return undefined;
  return { tee: confidential.tee, guestStatePath: guestStatePath(rt, id) };
}

/** Finishes a start that had reached the main process, and undoes any other. */
async function reconcileStart(rt: OrphanHost, box: Box, running: RunningBox): Promise<void> {
  // A fork's main process already runs, but its new identity may not have arrived.
  const copy = box.state.machine?.start === 'snapshot';
  const paused = box.state.machine?.start === 'pool';
  // A stop or a kill ended this start before its microVM was found.
  const ended = rt.store.expect(running.id).state.stopRequested;
  if (!copy && !ended && (await mainStarted(running, paused))) return enterRunning(rt, running);
  if (running.released) return;
  await abandon(rt, running);
  await endOrphaned(rt, box, '');
}

/**
 * @param paused whether the microVM may still be paused, as one of a pool is until its box resumes
 * it
 */
async function mainStarted(running: RunningBox, paused: boolean): Promise<boolean> {
  try {
    if (paused) await running.vm.resume();
    const { processes } = await (await running.guest()).state(running.signal);
    return processes.some(({ id, state }) => id === MAIN && state !== 'created');
  } catch {
    // An agent that does not answer has no main process that this server could go on with.
    return false;
  }
}

/**
 * Removes the directories of boxes that are not on record, and the sockets of boxes that do not
 * run. Makes the missing directory of a box that never ran: its record may have come just before
 * the directory, or before the directory was on the disk.
 */
async function sweepDirectories(
  rt: Pick<Services, 'home' | 'runtimeDir' | 'store' | 'pods' | 'engine'>,
): Promise<void> {
  const records = rt.store.list();
  const known = new Set(records.map(({ definition }) => definition.id));
  const boxes = join(rt.home, 'boxes');
  const found = new Set(await readdir(boxes));
  for (const { definition, state } of records) {
    if (state.startedAt !== undefined || found.has(definition.id)) continue;
    await mkdir(join(boxes, definition.id), { mode: 0o711 });
  }
  for (const id of found) {
    if (known.has(id)) continue;
    await rt.engine.sweep(id, runtimeDirectory(rt, id));
    await rm(join(boxes, id), { recursive: true, force: true });
  }
  const running = new Set([
    ...records
      .filter(({ state }) => mayHaveVm(state.status))
      .map((box) => basename(vmOf(rt, box).directory)),
    ...rt.pods.vmIds().map((id) => basename(runtimeDirectory(rt, id))),
  ]);
  const probes: readonly string[] = Object.values(PROBE_DIRECTORIES);
  for (const name of await readdir(rt.runtimeDir)) {
    const ofVm = /^[0-9a-f]{12}$/.test(name) || probes.includes(name);
    if (!ofVm || running.has(name)) continue;
    const directory = join(rt.runtimeDir, name);
    await rt.engine.sweep(name, directory);
    await rm(directory, { recursive: true, force: true });
  }
}
