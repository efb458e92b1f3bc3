/**
 * Starts a box: for a user, for its restart policy, and after a reboot.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import {
  type AuthorizationHost,
  authorizeImage,
  type TrustOptions,
  UntrustedImage,
} from '../policy/authorize-image.ts';
import { authorizeImageMounts } from '../policy/image-mounts.ts';
import { namesOnRecord } from '../policy/trust-names.ts';
import { trustRecord } from '../policy/trust-record.ts';
import type { Box, BoxState } from '../record/box.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { isRestartedAfterReboot } from '../restart/restart-policy.ts';
import type { Services } from '../services/services.ts';
import { withLinkVariables } from '../spec/box-links.ts';
import { expectHostStays, isInterrupted } from './enter.ts';
import { enterLinks } from './enter-links.ts';
import { type RunHost, type RunOptions, runBox } from './run-box.ts';
import { type UndoHost, undoStart } from './undo.ts';

/** What a start needs of the server: to authorize the image, to run the box, and to undo it all. */
export type StartHost = AuthorizationHost & RunHost & UndoHost & Pick<Services, 'networks'>;

export type StartOptions = TrustOptions & Pick<RunOptions, 'saved'>;

/**
 * Starts the box's main process in a new microVM, for a user. False when the box already runs.
 *
 * A failed start leaves the box as it was, with the reason and Docker's exit code on record. So
 * does a refused image, before any microVM is made.
 *
 * @throws A3sError `conflict` for a paused one
 */
export function startBox(rt: StartHost, id: string, options: StartOptions = {}): Promise<boolean> {
  return rt.locks.run(id, async () => {
    // Its last run may still be ending.
    if (rt.store.expect(id).state.status === 'stopping') await rt.running.get(id)?.finished;
    const { status } = rt.store.expect(id).state;
    if (status === 'running') return false;
    if (status === 'paused') {
      throw new A3sError('conflict', 'cannot start a paused container, try unpause instead');
    }
    await startLocked(rt, id, { restartCount: 0, restartDelayMs: undefined }, options);
    return true;
  });
}

/**
 * Starts a box that its policy has waited for since this run. Does nothing when the box has changed
 * since. Never rejects.
 */
export function restartByPolicy(rt: StartHost, id: string, run: number): Promise<void> {
  return startOwn(rt, id, ({ state }) => {
    if (state.status !== 'restarting' || state.run !== run) return undefined;
    return { restartCount: state.restartCount, restartDelayMs: state.restartDelayMs };
  });
}

/**
 * Starts a box that has not run since this run, because the host, or its server, was started. Does
 * not where the box or its policy has changed meanwhile. Never rejects.
 */
export function restartAfterReboot(rt: StartHost, id: string, run: number): Promise<void> {
  return startOwn(rt, id, (box) => {
    const wanted = rt.restarts.takes(id);
    if (!wanted || box.state.run !== run || !isRestartedAfterReboot(box)) return undefined;
    return { restartCount: 0, restartDelayMs: 0 };
  });
}

/**
 * How often the policy has started a box, and how long it waited; undefined where a user starts the
 * box.
 */
type Counted = Pick<BoxState, 'restartCount' | 'restartDelayMs'>;

/** @param counts undefined: the box must not be started any more */
async function startOwn(
  rt: StartHost,
  id: string,
  counts: (box: Box) => Counted | undefined,
): Promise<void> {
  await rt.locks
    .run(id, async () => {
      const box = rt.store.get(id);
      const counted = box === undefined || isInterrupted(rt) ? undefined : counts(box);
      if (counted !== undefined) await startLocked(rt, id, counted, {});
    })
    // The failure is on record, and in the log.
    .catch(() => undefined);
}

/** The caller holds the box's lock. */
async function startLocked(
  rt: StartHost,
  id: string,
  counted: Counted,
  { saved, ...options }: StartOptions,
): Promise<void> {
  expectHostStays(rt);
  const run = rt.store.expect(id).state.run + 1;
  const box = rt.store.advance(id, 'start', {
    ...{ run, pid: 0, exitCode: 0, oomKilled: false, error: '', ports: [] },
    ...{ stopRequested: false, trust: undefined, machine: undefined, launch: undefined },
    ...{ ...counted, restartAt: undefined, health: undefined, changesNetworks: undefined },
  });
  try {
    const image = await authorizeStart(rt, box, options);
    await enterLinks(rt, box);
    await runBox(rt, withLinkVariables(rt, box), { image, saved });
  } catch (error) {
    // A server that stops releases the start in the middle. The next server reconciles it.
    if (rt.running.get(id)?.released !== true) await undoStart(rt, rt.store.expect(id), error);
    throw error;
  }
}

/** Decides by the image and the names on record: a tag that has moved changes nothing. */
async function authorizeStart(
  rt: AuthorizationHost & Pick<Services, 'store'>,
  box: Box,
  options: TrustOptions,
): Promise<Image> {
  const { id, image: pinned } = box.definition;
  const image = await pinnedImage(rt, box.definition);
  const { reference, names = namesOnRecord(reference, image) } = pinned;
  try {
    const confidential = box.definition.confidential !== undefined;
    const subject = { image, reference, names, confidential };
    const decision = await authorizeImage(rt, subject, options);
    rt.store.amend(id, { trust: trustRecord(decision) });
  } catch (error) {
    if (error instanceof UntrustedImage) {
      rt.store.amend(id, { trust: trustRecord(error.decision) });
    }
    throw error;
  }
  await authorizeImageMounts(rt, box.definition.imageMounts, options);
  return image;
}
