/**
 * A volume as a row of `volume ls`.
 *
 * @module
 */
import type { Volume } from '../../../docker-api/volume.ts';
import { isObject, numberOf, objectOf, type Received, stringOf } from '../../client/json.ts';
import { humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const DIGITS = 4;
/** What is not measured, and what volumes of a cluster have alone. */
const UNKNOWN = 'N/A';

export const VOLUME_LISTING: Listing = {
  defaults: '{{.Driver}}\t{{.Name}}',
  headers: {
    Name: 'VOLUME NAME',
    Group: 'GROUP',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    Availability: 'AVAILABILITY',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
    Status: 'STATUS',
  },
};

export function volumeRow(volume: Received<Volume>): Row {
  const labels = objectOf(volume.Labels);
  const usage = isObject(volume.UsageData) ? volume.UsageData : undefined;
  return {
    Name: stringOf(volume.Name),
    Driver: stringOf(volume.Driver),
    Scope: stringOf(volume.Scope),
    Mountpoint: stringOf(volume.Mountpoint),
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${stringOf(value)}`)
      .sort()
      .join(','),
    Links: usage === undefined ? UNKNOWN : String(numberOf(usage.RefCount)),
    Size: usage === undefined ? UNKNOWN : humanSize(numberOf(usage.Size), DIGITS),
    Group: UNKNOWN,
    Availability: UNKNOWN,
    Status: UNKNOWN,
    Label: (name: string): string => (Object.hasOwn(labels, name) ? stringOf(labels[name]) : ''),
  };
}
