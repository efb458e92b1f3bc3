/**
 * What a box uses, as a row of `stats`, computed from two samples as Docker computes it.
 *
 * @module
 */
import type { ContainerStats } from '../../../docker-api/containers/stats.ts';
import { numberOf, objectOf, objectsOf, type Received, stringOf } from '../../client/json.ts';
import { humanMemory, humanSize } from '../human.ts';
import type { Listing, Row } from '../listing.ts';

const SHORT_ID = 12;
/** For what is not known. */
const NONE = '--';

type Sample = Received<ContainerStats>;

export const STATS_LISTING: Listing = {
  defaults:
    '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
  headers: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
};

/** @param name what the user calls the box @param sample undefined where none has come */
export function statsRow(name: string, sample: Sample | undefined, full: boolean): Row {
  const container = name;
  if (sample === undefined) {
    const pair = `${NONE} / ${NONE}`;
    const unknown = { CPUPerc: NONE, MemPerc: NONE, PIDs: NONE, MemUsage: pair };
    return { Container: container, ID: NONE, Name: NONE, ...unknown, NetIO: pair, BlockIO: pair };
  }
  const id = stringOf(sample.id);
  const memory = objectOf(sample.memory_stats);
  const used = memoryUsed(memory);
  const limit = numberOf(memory.limit);
  const net = traffic(objectOf(sample.networks));
  const disk = blocks(objectOf(sample.blkio_stats));
  return {
    Container: container,
    ID: full ? id : id.slice(0, SHORT_ID),
    Name: stringOf(sample.name).replace(/^\//, ''),
    CPUPerc: percent(cpuPercent(sample)),
    MemUsage: `${humanMemory(used)} / ${humanMemory(limit)}`,
    MemPerc: percent(limit > 0 ? (used / limit) * 100 : 0),
    NetIO: `${humanSize(net.in)} / ${humanSize(net.out)}`,
    BlockIO: `${humanSize(disk.in)} / ${humanSize(disk.out)}`,
    PIDs: String(numberOf(objectOf(sample.pids_stats).current)),
  };
}

/** 100 is one processor that does nothing else. */
function cpuPercent(sample: Sample): number {
  const now = objectOf(sample.cpu_stats);
  const before = objectOf(sample.precpu_stats);
  const box = cpuTime(now) - cpuTime(before);
  const system = numberOf(now.system_cpu_usage) - numberOf(before.system_cpu_usage);
  const cpus = numberOf(now.online_cpus) || 1;
  return box > 0 && system > 0 ? (box / system) * cpus * 100 : 0;
}

function cpuTime(stats: Received<ContainerStats['cpu_stats']>): number {
  return numberOf(objectOf(stats.cpu_usage).total_usage);
}

/** Without the page cache that can be had back at once. */
function memoryUsed(memory: Received<ContainerStats['memory_stats']>): number {
  const usage = numberOf(memory.usage);
  const details = objectOf(memory.stats);
  const cache = numberOf(details['total_inactive_file']) || numberOf(details['inactive_file']);
  return cache < usage ? usage - cache : usage;
}

interface Flow {
  readonly in: number;
  readonly out: number;
}

function traffic(networks: Received<NonNullable<ContainerStats['networks']>>): Flow {
  const cards = Object.values(networks).map((card) => objectOf(card));
  const sum = (field: 'rx_bytes' | 'tx_bytes'): number =>
    cards.reduce((total, card) => total + numberOf(card[field]), 0);
  return { in: sum('rx_bytes'), out: sum('tx_bytes') };
}

function blocks(stats: Received<ContainerStats['blkio_stats']>): Flow {
  const entries = objectsOf(stats.io_service_bytes_recursive);
  const sum = (operation: string): number =>
    entries
      .filter(({ op }) => stringOf(op).toLowerCase().startsWith(operation))
      .reduce((total, { value }) => total + numberOf(value), 0);
  return { in: sum('r'), out: sum('w') };
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}
