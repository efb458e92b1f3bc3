/**
 * A template of VMs as a row of `template ls`.
 *
 * @module
 */
import type { TemplateSummary } from '../../../docker-api/a3s/template.ts';
import { numberOf, type Received, stringOf } from '../../client/json.ts';
import { humanDuration, humanMemory, humanSize, localTime } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;

export const TEMPLATE_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.CPUs}}\t{{.Memory}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsed}}\t{{.State}}',
  headers: {
    ID: 'TEMPLATE ID',
    CPUs: 'CPUS',
    Memory: 'MEMORY',
    Size: 'SIZE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    LastUsed: 'USED',
    LastUsedAt: 'USED AT',
    Uses: 'USES',
    State: 'STATE',
  },
};

export function templateRow(template: Received<TemplateSummary>, full: boolean, now: number): Row {
  const id = stringOf(template.id);
  const created = Date.parse(stringOf(template.createdAt));
  const used = Date.parse(stringOf(template.lastUsedAt));
  return {
    ID: shortId(id, full),
    CPUs: String(numberOf(template.cpus)),
    Memory: humanMemory(numberOf(template.memoryBytes)),
    Size: humanSize(numberOf(template.sizeBytes)),
    CreatedSince: ago(created, now),
    CreatedAt: Number.isNaN(created) ? 'N/A' : localTime(created),
    LastUsed: Number.isNaN(used) ? 'never' : ago(used, now),
    LastUsedAt: Number.isNaN(used) ? 'N/A' : localTime(used),
    Uses: String(numberOf(template.uses)),
    State: stringOf(template.state),
  };
}

/** As people are shown it. */
export function shortId(id: string, full = false): string {
  return full ? id : id.slice(0, SHORT_ID);
}

function ago(time: number, now: number): string {
  return Number.isNaN(time) ? 'N/A' : `${humanDuration(Math.max(0, now - time))} ago`;
}
