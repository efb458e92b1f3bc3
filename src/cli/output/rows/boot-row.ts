/**
 * A boot set as a row of `boot ls`.
 *
 * @module
 */
import type { ListedSet } from '../../boot-library.ts';
import { humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;

export const BOOT_LISTING: Listing = {
  defaults: '{{.ID}}\t{{.Agent}}\t{{.Kernel}}\t{{.Firmware}}\t{{.Size}}\t{{.Origin}}',
  headers: {
    ID: 'BOOT SET ID',
    Agent: 'AGENT',
    Kernel: 'KERNEL',
    Firmware: 'FIRMWARE',
    Size: 'SIZE',
    Origin: 'ORIGIN',
  },
};

export function bootRow({ set, current, imported }: ListedSet, full: boolean): Row {
  const { id, document } = set;
  const sizes = Object.values(document.files).map(({ size }) => size);
  const origins = [...(current ? ['installed'] : []), ...(imported ? ['imported'] : [])];
  return {
    ID: full ? id : id.slice(0, SHORT_ID),
    Agent: document.agent.version,
    Kernel: document.kernel.release,
    Firmware: 'confidential' in document ? document.confidential.firmware.source.version : 'none',
    Size: humanSize(sizes.reduce((sum, size) => sum + size, 0)),
    Origin: origins.length === 0 ? 'pinned' : origins.join(', '),
  };
}
