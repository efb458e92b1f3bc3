/**
 * A microVM on the disk and the mounts of a box that does not run, whose main process is never
 * started. It serves the files of the box: no port is published, and the box has no network in it.
 *
 * Nothing of it is on record. The next server ends one that is left, since its box does not run.
 * Therefore it does not start by the sources of `start`: they record each step of a start under the
 * lock of the box, publish its ports, and make a template unusable that a start has failed with.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { linkedSignal } from '../../async/linked-signal.ts';
import { unlessAborted } from '../../async/unless-aborted.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { syncWritableLayer } from '../disks/writable-layer.ts';
import type { Box } from '../record/box.ts';
import { runtimeDirectory } from '../record/directories.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import type { RunServices } from '../run/run-services.ts';
import { RunningBox } from '../run/running-box.ts';
import { abandon } from '../start/abandon.ts';
import { type Found, findParts } from '../start/describe-vm.ts';
import { expectHostStays } from '../start/enter.ts';
import { launchVm, removeNewLayer } from '../start/launch-vm.ts';
import { type MountedVolumes, mountVolumes, undoFill } from '../start/mount-volumes.ts';
import { reasonToBoot } from '../start/run-box.ts';
import { isFork } from '../start/sources/snapshot.ts';
import { shapeOf } from '../start/sources/template.ts';
import { COPY_TIMING, CopyDeadline, type CopyTiming } from './copy-deadline.ts';

export interface FilesTiming extends CopyTiming {
  /** How long the guest may take to write all out and power off. */
  readonly powerOffMs: number;
  /** The same where it has failed, its client is gone, or the server ends. */
  readonly abortMs: number;
}

const TIMING: FilesTiming = { ...COPY_TIMING, powerOffMs: 60_000, abortMs: 5_000 };

/** What such a microVM needs of the server. */
export type FilesVmHost = Pick<
  RunServices,
  | ('home' | 'runtimeDir' | 'engine' | 'store' | 'shutdown' | 'startTimeoutMs')
  | ('boot' | 'images' | 'volumes' | 'templates' | 'log' | 'restarts' | 'running')
  | ('networks' | 'hostNetworks')
> & {
  /** Tests shorten it. */
  readonly filesTiming?: Partial<FilesTiming>;
};

export function timingOf({ filesTiming }: Pick<FilesVmHost, 'filesTiming'>): FilesTiming {
  return { ...TIMING, ...filesTiming };
}

export class FilesVm {
  readonly guest: Guest;
  /** Aborts when the microVM is gone, or is to end. */
  readonly signal: AbortSignal;
  readonly #rt: FilesVmHost;
  readonly #box: Box;
  readonly #running: RunningBox;
  readonly #stop: AbortController;
  readonly #deadline: CopyDeadline;

  private constructor(
    rt: FilesVmHost,
    box: Box,
    { guest, running }: Launched,
    stop: AbortController,
  ) {
    this.#rt = rt;
    this.#box = box;
    this.#running = running;
    this.#stop = stop;
    this.guest = guest;
    this.signal = AbortSignal.any([running.signal, stop.signal]);
    this.#deadline = new CopyDeadline(timingOf(rt), box.name, (error) => {
      rt.log.error('a copy of files stalled', error, { box: box.definition.id });
      stop.abort(error);
    });
  }

  /**
   * The caller holds the box's lock until the microVM has ended.
   *
   * @param client its abort ends the launch
   * @throws A3sError `conflict` for a fork that has not run, whose files are in its memory snapshot
   */
  static async launch(rt: FilesVmHost, box: Box, client: AbortSignal): Promise<FilesVm> {
    expectHostStays(rt);
    if (isFork(box)) {
      throw new A3sError(
        'conflict',
        `Cannot copy files of ${box.name}: it is a fork that has not run`,
        {
          remedy: 'Start it first.',
        },
      );
    }
    const stop = new AbortController();
    const { id } = box.definition;
    // Before the volumes are mounted: for them the box is one that runs.
    rt.running.copying.set(id, stop);
    const { signal, unlink } = linkedSignal(rt.shutdown, client, stop.signal);
    try {
      return new FilesVm(rt, box, await launchParts(rt, box, signal), stop);
    } catch (error) {
      rt.running.copying.delete(id);
      throw error;
    } finally {
      unlink();
    }
  }

  /**
   * The archive, in either direction. Where nothing of it moves, the microVM ends, whichever side
   * waits: the box cannot start meanwhile.
   */
  moving(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    return this.#deadline.paced(archive, { source: true, reader: true });
  }

  /**
   * Returns when nothing of the microVM is left.
   *
   * @returns why what was written may not be on the disk; undefined where the guest has written all
   * out and ended
   */
  async end(): Promise<A3sError | undefined> {
    this.#deadline.end();
    try {
      const failure = await this.#powerOff();
      await endVm(this.#rt, this.#running);
      await this.#keepDisk();
      return failure;
    } finally {
      this.#rt.running.copying.delete(this.#box.definition.id);
    }
  }

  /** Waits for the guest's own end. */
  async #powerOff(): Promise<A3sError | undefined> {
    const { powerOffMs, abortMs } = timingOf(this.#rt);
    const timeout = new AbortController();
    const giveUp = (): void => timeout.abort(new Error('it did not power off in time'));
    const timers = [setTimeout(giveUp, powerOffMs)];
    const hurry = (): void => void timers.push(setTimeout(giveUp, abortMs));
    const { signal: hurried, unlink } = linkedSignal(this.#rt.shutdown, this.#stop.signal);
    let cause: unknown;
    try {
      if (hurried.aborted) hurry();
      else hurried.addEventListener('abort', hurry, { once: true });
      await this.guest.poweroff(timeout.signal).catch((error: unknown) => {
        cause = error;
        // It may have powered off before its answer came.
        hurry();
      });
      const { reason, detail } = await unlessAborted(this.#running.vm.exited, timeout.signal);
      if (reason === 'poweroff') return undefined;
      cause ??= new Error(`the microVM ended: ${reason} ${detail}`.trimEnd());
    } catch (error) {
      cause ??= error;
    } finally {
      unlink();
      for (const timer of timers) clearTimeout(timer);
    }
    const { name, definition } = this.#box;
    const failure = new A3sError(
      'agent-failed',
      `The microVM that served the files of ${name} did not power off, so files that were written may be lost`,
      { remedy: 'Copy the files again.', cause },
    );
    this.#rt.log.error('a microVM that served files did not power off', failure, {
      box: definition.id,
    });
    return failure;
  }

  /**
   * Records that the writable layer of a box that never ran holds copied files, so that it is kept.
   * The disk may have a size of its own, or come from a start that failed.
   */
  async #keepDisk(): Promise<void> {
    const { id } = this.#box.definition;
    const state = this.#rt.store.get(id)?.state;
    if (state === undefined || state.startedAt !== undefined || state.hasFiles === true) return;
    await syncWritableLayer(this.#rt, this.#box.definition);
    this.#rt.store.amend(id, { hasFiles: true });
  }
}

interface Launched {
  readonly guest: Guest;
  readonly running: RunningBox;
}

/** What a launch is given. */
interface Given {
  readonly found: Found;
  readonly volumes: MountedVolumes;
  readonly signal: AbortSignal;
}

async function launchParts(rt: FilesVmHost, box: Box, signal: AbortSignal): Promise<Launched> {
  const image = await pinnedImage(rt, box.definition);
  const volumes = await mountVolumes(rt, box);
  try {
    const found = await findParts(rt, box.definition, image, volumes);
    return await launchFastest(rt, box, { found, volumes, signal });
  } catch (error) {
    throw await undoFill(rt, box.definition.id, volumes, error);
  } finally {
    volumes.release();
  }
}

/** From a template where there is one. Where that fails, the microVM boots. */
async function launchFastest(rt: FilesVmHost, box: Box, given: Given): Promise<Launched> {
  const { definition } = box;
  const { found, signal } = given;
  const taken =
    reasonToBoot(found, definition) === undefined
      ? await rt.templates.take(shapeOf(definition, found))
      : undefined;
  if (taken === undefined) return await launch(rt, box, given, undefined);
  try {
    return await launch(rt, box, given, taken);
  } catch (error) {
    taken.release();
    if (signal.aborted) throw error;
    rt.log.error('files could not be served from a template, so a microVM boots', error, {
      box: definition.id,
      template: taken.template.key,
    });
    await removeNewLayer(rt, box, found);
    return await launch(rt, box, given, undefined);
  }
}

async function launch(
  rt: FilesVmHost,
  box: Box,
  { found, volumes, signal }: Given,
  taken: TakenTemplate | undefined,
): Promise<Launched> {
  const { definition, state } = box;
  const { home, runtimeDir, engine, startTimeoutMs, networks, hostNetworks } = rt;
  // Nothing is recorded, and every end of the launch is handled like the end of the server.
  const host = {
    ...{ home, runtimeDir, engine, startTimeoutMs, networks, hostNetworks, shutdown: signal },
    store: { amend: () => box },
  };
  const offline = { ...box, definition: { ...definition, network: 'none' as const, ports: [] } };
  const { vm, giveSpec, ...options } = await launchVm(host, offline, found, taken);
  const running = new RunningBox(definition.id, state.run, vm, {
    connectMs: startTimeoutMs,
    ...options,
  });
  try {
    const guest = await unlessAborted(giveSpec(running), signal);
    await volumes.filled();
    return { guest, running };
  } catch (error) {
    await endVm(rt, running);
    throw error;
  }
}

async function endVm(
  rt: Pick<RunServices, 'runtimeDir' | 'running'>,
  running: RunningBox,
): Promise<void> {
  await abandon(rt, running);
  await rm(runtimeDirectory(rt, running.id), { recursive: true, force: true });
}
