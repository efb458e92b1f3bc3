/**
 * A snapshot as a row of `snapshot ls`.
 *
 * @module
 */
import type { Snapshot } from '../../../docker-api/a3s/snapshot.ts';
import { numberOf, objectOf, type Received, stringOf, stringsOf } from '../../client/json.ts';
import { humanDuration, humanSize, localTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;

export const SNAPSHOT_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.Name}}\t{{.Kind}}\t{{.Box}}\t{{.Image}}\t{{.CreatedSince}}\t{{.Memory}}\t{{.Disk}}\t{{.State}}',
  headers: {
    ID: 'SNAPSHOT ID',
    Name: 'NAME',
    Kind: 'KIND',
    Box: 'BOX',
    Image: 'IMAGE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    Memory: 'MEMORY',
    Disk: 'DISK',
    Boxes: 'BOXES',
    State: 'STATE',
  },
};

export function snapshotRow(snapshot: Received<Snapshot>, full: boolean, now: number): Row {
  const id = stringOf(snapshot.id);
  const created = Date.parse(stringOf(snapshot.createdAt));
  const box = objectOf(snapshot.box);
  return {
    ID: full ? id : id.slice(0, SHORT_ID),
    Name: stringOf(snapshot.name),
    Kind: stringOf(snapshot.kind),
    Box: stringOf(box.name),
    Image: stringOf(box.image),
    CreatedSince: `${humanDuration(Math.max(0, now - created))} ago`,
    CreatedAt: localTime(created),
    Memory: humanSize(numberOf(snapshot.memoryBytes)),
    Disk: humanSize(numberOf(snapshot.diskBytes)),
    Boxes: String(stringsOf(snapshot.boxes).length),
    State: stringOf(snapshot.state),
  };
}
