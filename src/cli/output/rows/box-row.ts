/**
 * A box as a row of `ps`.
 *
 * @module
 */
import type { ConfidentialSummary } from '../../../docker-api/a3s/confidential-box.ts';
import type { ContainerSummary } from '../../../docker-api/containers/container.ts';
import {
  numberOf,
  objectOf,
  objectsOf,
  type Received,
  stringOf,
  stringsOf,
} from '../../client/json.ts';
import { ellipsis, humanDuration, humanSize, localTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;
const MAX_COMMAND = 20;
const MAX_MOUNT = 15;
/** For a box that no decision is on record of. */
const UNJUDGED = '-';
/** For a plain box. */
const NO_TEE = '-';

export const BOX_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Trust}}\t{{.Tee}}\t{{.Ports}}\t{{.Names}}',
  headers: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Trust: 'TRUST',
    Tee: 'TEE',
    Size: 'SIZE',
    Names: 'NAMES',
    Labels: 'LABELS',
    LocalVolumes: 'LOCAL VOLUMES',
    Mounts: 'MOUNTS',
    Networks: 'NETWORKS',
  },
  sparse: { Tee: NO_TEE },
};

/** With `--size`. */
export const SIZED_BOX_LISTING: Listing = {
  ...BOX_LISTING,
  defaults: `${BOX_LISTING.defaults}\t{{.Size}}`,
};

export function boxRow(box: Received<ContainerSummary>, full: boolean, now: number): Row {
  const created = numberOf(box.Created) * 1000;
  const labels = objectOf(box.Labels);
  const id = stringOf(box.Id);
  const command = stringOf(box.Command);
  const mounts = objectsOf(box.Mounts);
  return {
    ID: full ? id : id.slice(0, SHORT_ID),
    Image: imageName(stringOf(box.Image), full),
    Command: JSON.stringify(full ? command : ellipsis(command, MAX_COMMAND)),
    CreatedAt: localTime(created),
    RunningFor: `${humanDuration(now - created)} ago`,
    Ports: ports(objectsOf(box.Ports)),
    State: stringOf(box.State),
    Status: stringOf(box.Status),
    Trust: stringOf(box.Trust) || UNJUDGED,
    Tee: teeColumn(box.Confidential),
    Size: sizes(box),
    Names: stringsOf(box.Names)
      .map((name) => name.replace(/^\//, ''))
      // As with Docker, those of links are shown in full alone.
      .filter((name) => full || !name.includes('/'))
      .join(','),
    Labels: Object.entries(labels)
      .map(([name, value]) => `${name}=${stringOf(value)}`)
      .sort()
      .join(','),
    LocalVolumes: String(mounts.filter(({ Driver }) => Driver === 'local').length),
    Mounts: mounts
      .map((mount) => stringOf(mount.Name) || stringOf(mount.Source))
      .map((name) => (full ? name : ellipsis(name, MAX_MOUNT)))
      .join(','),
    Networks: Object.keys(objectOf(objectOf(box.NetworkSettings).Networks))
      .sort()
      .join(','),
    Label: (name: string): string => stringOf(labels[name]),
  };
}

/** What the box has written, and with it what its image has. */
function sizes(box: Received<ContainerSummary>): string {
  const written = humanSize(numberOf(box.SizeRw));
  const whole = numberOf(box.SizeRootFs);
  return whole > 0 ? `${written} (virtual ${humanSize(whole)})` : written;
}

/** A box whose image has lost its tag shows the image's id. */
function imageName(image: string, full: boolean): string {
  if (full || !image.startsWith('sha256:')) return image;
  return image.slice('sha256:'.length, 'sha256:'.length + SHORT_ID);
}

function ports(bindings: readonly Received<ContainerSummary['Ports'][number]>[]): string {
  const texts = bindings.map((binding) => {
    // A port of the guest's own has a name.
    const number = numberOf(binding.PrivatePort);
    const box = stringOf(binding.Name) || `${number}/${stringOf(binding.Type)}`;
    const host = numberOf(binding.PublicPort);
    if (host === 0) return box;
    const ip = stringOf(binding.IP);
    return `${ip.includes(':') ? `[${ip}]` : ip}:${host}->${box}`;
  });
  return texts.join(', ');
}

/** In the list of boxes: `SIMULATED`, `snp`, or `-` for a plain box. */
function teeColumn(confidential: Received<ConfidentialSummary> | null | undefined): string {
  const { Tee, AllowAnyInjector } = objectOf(confidential);
  if (Tee === undefined) return NO_TEE;
  const open = AllowAnyInjector === true ? ', any injector' : '';
  return `${Tee === 'simulate' ? 'SIMULATED' : stringOf(Tee)}${open}`;
}
