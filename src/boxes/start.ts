/**
 * Starting a box.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import type { Box } from './box.ts';
import { runBox } from './choose-start.ts';
import { now, timestamp } from './clock.ts';
import { sweepMachine } from './machine-of.ts';
import { pinnedImage } from './pinned-image.ts';
import { removeLocked } from './remove.ts';
import type { Runtime } from './runtime.ts';
import { authorizeImage, type TrustOptions, UntrustedImage } from './trust.ts';
import { namesOnRecord } from './trust-names.ts';
import { trustRecord } from './trust-record.ts';

/**
 * Starts the box's main process in a machine of its own. False when it runs already.
 *
 * A start that fails leaves the box as it was, with the reason and Docker's exit code on record. So does one whose image
 * is refused, before anything of a machine is made.
 */
export function startBox(rt: Runtime, id: string, options: TrustOptions = {}): Promise<boolean> {
  return rt.locks.run(id, async () => {
    // Its last run may still be on its way out.
    if (rt.store.expect(id).state.status === 'stopping') await rt.live.get(id)?.finished;
    const before = rt.store.expect(id);
    if (before.state.status === 'running') return false;
    const run = before.state.run + 1;
    const box = rt.store.advance(id, 'start', {
      ...{ run, pid: 0, exitCode: 0, oomKilled: false, error: '', ports: [] },
      ...{ stopRequested: false, trust: undefined, machine: undefined, launch: undefined },
    });
    try {
      const image = await authorizeStart(rt, box, options);
      await runBox(rt, box, image);
      return true;
    } catch (error) {
      // A server that stops lets go in the middle: the next one settles this start.
      if (rt.live.get(id)?.released !== true) await undoStart(rt, rt.store.expect(id), error);
      throw error;
    }
  });
}

/** By the image and the names on record: a tag that has moved changes nothing. */
async function authorizeStart(rt: Runtime, box: Box, options: TrustOptions): Promise<Image> {
  const { id, image: pinned } = box.definition;
  const image = await pinnedImage(rt, box.definition);
  const { reference, names = namesOnRecord(reference, image) } = pinned;
  try {
    const confidential = box.definition.confidential !== undefined;
    const subject = { image, reference, names, confidential };
    const decision = await authorizeImage(rt, subject, options);
    rt.store.amend(id, { trust: trustRecord(decision) });
    return image;
  } catch (error) {
    if (error instanceof UntrustedImage) {
      rt.store.amend(id, { trust: trustRecord(error.decision) });
    }
    throw error;
  }
}

/** Takes back a start of which nothing runs any more. */
export async function undoStart(rt: Runtime, box: Box, error: unknown): Promise<void> {
  const { id } = box.definition;
  await sweepMachine(rt, box);
  const output = rt.outputs.of(id);
  await output.close();
  const undone = rt.store.advance(
    id,
    box.state.startedAt === undefined ? 'undone-created' : 'undone-exited',
    {
      exitCode: exitCodeOf(error),
      error: error instanceof Error ? error.message : String(error),
      ports: [],
      finishedAt: box.state.startedAt === undefined ? undefined : timestamp(now()),
    },
  );
  output.endRun(box.state.run);
  rt.log.error('a box did not start', error, { box: id });
  if (undone.definition.autoRemove) await removeLocked(rt, id);
}

/** Docker's codes for a process that could not start. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof A3sError)) return 128;
  switch (error.code) {
    case 'command-not-found':
      return 127;
    case 'command-not-executable':
      return 126;
    // The box was not even tried.
    case 'image-untrusted':
    case 'launch-spec-mismatch':
    case 'verity-mismatch':
    case 'tee-unavailable':
    case 'secrets-deadline':
    case 'policy-invalid':
    case 'no-such-policy':
      return 125;
    default:
      return 128;
  }
}
