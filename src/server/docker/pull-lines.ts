/**
 * The progress of a pull, in the lines that Docker's clients draw bars from.
 *
 * @module
 */
import type { PullEvent } from '../../distribution/pull.ts';

const STATUS = {
  planned: 'Pulling fs layer',
  waiting: 'Waiting',
  downloading: 'Downloading',
  verifying: 'Verifying Checksum',
  downloaded: 'Download complete',
  converting: 'Extracting',
  complete: 'Pull complete',
  exists: 'Already exists',
} as const satisfies Record<Exclude<PullEvent['state'], 'found'>, string>;

/** Of a layer's digest, as Docker shows it. */
const ID_DIGITS = 12;

interface Line {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** @param tag what stands before the first line */
export function pullLine(event: PullEvent, repository: string, tag: string): Line {
  if (event.state === 'found') return { status: `Pulling from ${repository}`, id: tag };
  const { layer, state, current, total } = event;
  const id = layer.slice('sha256:'.length, 'sha256:'.length + ID_DIGITS);
  const progressDetail = current === undefined || total === undefined ? {} : { current, total };
  return { status: STATUS[state], progressDetail, id };
}
