/**
 * The progress of a push, in lines from which Docker's clients draw progress bars.
 *
 * @module
 */
import type { PushEvent } from '../../../distribution/push.ts';
import { parseReference } from '../../../oci/reference.ts';
import { type LayerLine, layerId } from './layer-line.ts';

const STATUS = {
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
      return { status: STATUS.pushing, progressDetail: { current, total }, id };
    }
    default:
      return { status: STATUS[event.state], progressDetail: {}, id: layerId(event.layer) };
  }
}
