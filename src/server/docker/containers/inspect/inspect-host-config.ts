/**
 * `HostConfig` of an inspection: every field of Docker's, as it was asked for. Fields that boxes do
 * not have show the value that asks for nothing.
 *
 * @module
 */

import type { Box, Port } from '../../../../boxes/record/box.ts';
import { BOX_DISK } from '../../../../boxes/record/limits.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { shownBoxLinks } from '../../../../boxes/spec/box-links.ts';
import type { HostConfigShown, LimitsShown } from '../../../../docker-api/containers/container.ts';
import { securityShown } from './inspect-security.ts';
import { networkName } from './show.ts';
import { longMounts, shortMounts, shortTmpfs } from './show-mounts.ts';

type HostConfig = HostConfigShown;

export function hostConfigOf(rt: Pick<Runtime, 'store'>, box: Box): HostConfig {
  const { definition } = box;
  const { ports, size, restart, logging, names } = definition;
  const short = shortMounts(definition);
  const long = longMounts(definition);
  return {
    Binds: short.length === 0 ? null : short,
    ContainerIDFile: definition.containerIdFile ?? '',
    LogConfig: { Type: logging.driver, Config: logging.options },
    NetworkMode: networkName(box),
    PortBindings: byBoxPort(ports),
    RestartPolicy: { Name: restart.name, MaximumRetryCount: restart.maximumRetryCount },
    AutoRemove: definition.autoRemove,
    VolumeDriver: definition.volumeDriver ?? '',
    VolumesFrom: definition.volumesFrom.length === 0 ? null : definition.volumesFrom,
    ...(long.length === 0 ? {} : { Mounts: long }),
    ...shortTmpfs(definition),
    ...(definition.storage === undefined ? {} : { StorageOpt: definition.storage.options }),
    ConsoleSize: size === undefined ? [0, 0] : [size.rows, size.columns],
    Dns: orNull(names.servers),
    DnsOptions: orNull(names.options),
    DnsSearch: orNull(names.search),
    ExtraHosts: orNull(names.hosts),
    Cgroup: '',
    Links: orNull([...(definition.links ?? []), ...shownBoxLinks(rt, box)]),
    PublishAllPorts: definition.publishAll === true,
    ReadonlyRootfs: definition.readonlyRootfs,
    ShmSize: definition.shmBytes ?? SHARED_MEMORY,
    // As in Docker, the field is left out where nobody asked for it.
    ...(definition.init ? { Init: true as const } : {}),
    ...limitsOf(box),
    ...securityShown(definition.security),
  };
}

function orNull(list: readonly string[]): string[] | null {
  return list.length === 0 ? null : [...list];
}

/** The usual size of `/dev/shm`. */
export const SHARED_MEMORY = 64 * 1024 * 1024;

function limitsOf({
  definition: { memoryBytes, nanoCpus, limits },
}: Box): Omit<LimitsShown, 'DeviceCgroupRules' | 'Devices'> {
  const { disk } = limits;
  return {
    CpuShares: limits.cpuShares,
    Memory: memoryBytes,
    NanoCpus: nanoCpus,
    CgroupParent: '',
    BlkioWeight: 0,
    BlkioWeightDevice: null,
    BlkioDeviceReadBps: rate(disk.readBps),
    BlkioDeviceWriteBps: rate(disk.writeBps),
    BlkioDeviceReadIOps: rate(disk.readIops),
    BlkioDeviceWriteIOps: rate(disk.writeIops),
    CpuPeriod: limits.cpuPeriodUs,
    CpuQuota: limits.cpuQuotaUs,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: limits.cpuset,
    CpusetMems: '',
    DeviceRequests: null,
    MemoryReservation: limits.memoryReservationBytes,
    MemorySwap: limits.memorySwapBytes,
    MemorySwappiness: null,
    OomKillDisable: false,
    PidsLimit: limits.pids === 0 ? null : limits.pids,
    Ulimits:
      limits.ulimits.length === 0
        ? null
        : limits.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

function rate(value: number) {
  return value === 0 ? null : [{ Path: BOX_DISK, Rate: value }];
}

export function byBoxPort(
  ports: readonly Port[],
): Record<string, { HostIp: string; HostPort: string }[]> {
  const result: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { boxPort, protocol, hostIp, hostPort, hostPortEnd } of ports) {
    const key = `${boxPort}/${protocol}`;
    const bindings = result[key] ?? [];
    const last = hostPortEnd === undefined ? '' : `-${hostPortEnd}`;
    bindings.push({ HostIp: hostIp, HostPort: hostPort === 0 ? '' : `${hostPort}${last}` });
    result[key] = bindings;
  }
  return result;
}
