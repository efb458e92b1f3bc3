/**
 * The progress of a push, in the lines that Docker's clients draw bars from.
 *
 * @module
 */
import type { PushEvent } from '../../distribution/push.ts';
import { parseReference } from '../../images/reference.ts';

const STATUS = {
  preparing: 'Preparing',
  waiting: 'Waiting',
  exists: 'Layer already exists',
  pushing: 'Pushing',
  pushed: 'Pushed',
} as const;

/** Of a digest, as Docker shows it. */
const ID_DIGITS = 12;

interface Line {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

export function pushLine(event: PushEvent): Line {
  switch (event.state) {
    case 'signature-pushed':
      return { status: 'Signature pushed', id: shortId(event.digest) };
    case 'signature-left-out':
      return { status: `Signature left out: ${event.reason}`, id: shortId(event.digest) };
    case 'mounted': {
      const status = `Mounted from ${parseReference(event.from).path}`;
      return { status, progressDetail: {}, id: shortId(event.layer) };
    }
    case 'pushing': {
      const { current, total } = event;
      const id = shortId(event.layer);
      return { status: STATUS.pushing, progressDetail: { current, total }, id };
    }
    default:
      return { status: STATUS[event.state], progressDetail: {}, id: shortId(event.layer) };
  }
}

function shortId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + ID_DIGITS);
}
