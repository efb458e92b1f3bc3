/**
 * The progress of pulls and pushes, in lines from which Docker's clients draw progress bars.
 *
 * @module
 */
import type { PullEvent } from '../../../distribution/pull.ts';
import type { PushEvent } from '../../../distribution/push.ts';
import { parseReference } from '../../../oci/reference.ts';

/** The digits of a digest that Docker shows. */
const ID_DIGITS = 12;

interface LayerLine {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** The name of a layer in its lines. */
function layerId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + ID_DIGITS);
}

const PULL_STATUS = {
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
  return { status: PULL_STATUS[state], progressDetail, id: layerId(layer) };
}

const PUSH_STATUS = {
  preparing: 'Preparing',
  waiting: 'Waiting',
  exists: 'Layer already exists',
  pushing: 'Pushing',
  pushed: 'Pushed',
} as const;

export function pushLine(event: PushEvent): LayerLine {
  switch (event.state) {
    case 'signature-pushed':
      return { status: 'Signature pushed', id: layerId(event.digest) };
    case 'signature-left-out':
      return { status: `Signature left out: ${event.reason}`, id: layerId(event.digest) };
    case 'mounted': {
      const status = `Mounted from ${parseReference(event.from).path}`;
      return { status, progressDetail: {}, id: layerId(event.layer) };
    }
    case 'pushing': {
      const { current, total } = event;
      const id = layerId(event.layer);
      return { status: PUSH_STATUS.pushing, progressDetail: { current, total }, id };
    }
    default:
      return { status: PUSH_STATUS[event.state], progressDetail: {}, id: layerId(event.layer) };
  }
}
