/**
 * A step of an image's making as a row of `history`.
 *
 * @module
 */
import type { HistoryEntry } from '../../../docker-api/images/image.ts';
import { numberOf, type Received, stringOf } from '../../client/json.ts';
import { ellipsis, humanDuration, humanSize, localTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;
const MAX_COMMAND = 45;

/** @param human whether times are spans, or dates */
export function historyListing(human: boolean): Listing {
  const created = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}';
  return {
    defaults: `{{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
    headers: {
      ID: 'IMAGE',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      CreatedBy: 'CREATED BY',
      Size: 'SIZE',
      Comment: 'COMMENT',
    },
  };
}

export function historyRow(
  step: Received<HistoryEntry>,
  full: boolean,
  human: boolean,
  now: number,
): Row {
  const created = numberOf(step.Created) * 1000;
  const command = stringOf(step.CreatedBy).replaceAll('\t', ' ');
  const id = stringOf(step.Id);
  const size = numberOf(step.Size);
  return {
    ID: full ? id : id.replace(/^sha256:/, '').slice(0, SHORT_ID),
    CreatedSince: created > 0 ? `${humanDuration(now - created)} ago` : 'N/A',
    CreatedAt: isoTime(created),
    CreatedBy: full ? command : ellipsis(command, MAX_COMMAND),
    Size: human ? humanSize(size) : String(size),
    Comment: stringOf(step.Comment),
  };
}

/** `2024-01-02T15:04:05+01:00`, local time; `Z` in place of no difference. */
function isoTime(milliseconds: number): string {
  const [day = '', clock = '', zone = ''] = localTime(milliseconds).split(' ');
  const offset = zone === '+0000' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  return `${day}T${clock}${offset}`;
}
