/**
 * The progress of a pull, in lines from which Docker's clients draw progress bars.
 *
 * @module
 */
import type { PullEvent } from '../../../distribution/pull.ts';
import { type LayerLine, layerId } from './layer-line.ts';

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

/** @param tag the prefix of the first line */
export function pullLine(event: PullEvent, repository: string, tag: string): LayerLine {
  if (event.state === 'found') return { status: `Pulling from ${repository}`, id: tag };
  const { layer, state, current, total } = event;
  const progressDetail = current === undefined || total === undefined ? {} : { current, total };
  return { status: STATUS[state], progressDetail, id: layerId(layer) };
}
