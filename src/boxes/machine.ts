/**
 * From a record to the two documents of a start: what the engine builds, and what the agent is told.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BOX_SPEC_SCHEMA, BoxSpec } from '@a3s-box/policies';
import type { Disk, MachineSpec } from '../engine/engine.ts';
import { GUEST_NETWORK } from '../engine/network.ts';
import { A3sError } from '../errors.ts';
import { bindPaths } from './binds.ts';
import { type Box, type BoxDefinition, commandOf, type Port } from './box.ts';
import { CHANGES_DISK, ensureChangesDisk } from './changes-disk.ts';
import { DEFAULT_CONFINEMENT } from './confinement.ts';
import { processEnvironment } from './environment.ts';
import { pinnedImage } from './pinned-image.ts';
import { boxMemory, machineCpus, machineMemory } from './resources.ts';
import { boxDirectory, type Runtime, runtimeDirectory } from './runtime.ts';

const CHANGES_SERIAL = 'changes';

/**
 * Makes everything that a start needs, and describes it. Nothing runs yet.
 *
 * @param ports with their real numbers
 */
export async function prepareMachine(
  rt: Runtime,
  box: Box,
  ports: readonly Port[],
): Promise<{ machine: MachineSpec; spec: BoxSpec }> {
  const { definition } = box;
  const directory = boxDirectory(rt, definition.id);
  const boot = await rt.boot.open(definition.bootSet);
  const layers = await rt.images.bootLayers(await pinnedImage(rt, definition));
  const changes = join(directory, CHANGES_DISK);
  await ensureChangesDisk(changes, definition.identity);
  const { shares, mounts } = await bindPaths(definition.binds);
  const runtimeDir = runtimeDirectory(rt, definition.id);
  await makeRuntimeDirectory(runtimeDir, definition.identity);
  const layerDisks = layers.map(
    ({ path }, index): Disk => ({ path, serial: `layer-${index}`, readonly: true }),
  );
  const mac = macAddress(definition.id);
  const nic = definition.network === 'none' ? undefined : { mac, ports: ports.map(forward) };
  const machine: MachineSpec = {
    id: definition.id,
    runtimeDir,
    identity: definition.identity,
    cpus: machineCpus(definition.nanoCpus),
    memoryBytes: machineMemory(definition.memoryBytes),
    boot,
    disks: [...layerDisks, { path: changes, serial: CHANGES_SERIAL, readonly: false }],
    nic,
    shares,
  };
  const spec = BoxSpec.parse(
    specDocument(definition, {
      layers: layerDisks.map(({ serial }) => ({ serial })),
      mounts,
      network: nic === undefined ? { kind: 'none' } : guestNic(mac),
    }),
  );
  return { machine, spec };
}

/** What the agent is told, from the record and what the host found for it. */
export function specDocument(
  definition: BoxDefinition,
  found: { layers: BoxSpec['rootfs']['layers'] } & Pick<BoxSpec, 'mounts' | 'network'>,
): BoxSpec {
  return {
    schema: BOX_SPEC_SCHEMA,
    hostname: definition.hostname,
    rootfs: {
      layers: found.layers,
      changes: { kind: 'disk', serial: CHANGES_SERIAL },
      readonly: false,
    },
    process: mainProcess(definition),
    mounts: found.mounts,
    network: found.network,
    confinement: DEFAULT_CONFINEMENT,
    resources: {
      memoryBytes: boxMemory(definition.memoryBytes),
      ...(definition.nanoCpus === 0
        ? {}
        : { cpuMillis: Math.ceil(definition.nanoCpus / 1_000_000) }),
    },
  };
}

function mainProcess(definition: BoxDefinition): BoxSpec['process'] {
  return {
    args: commandOf(definition),
    env: processEnvironment(definition.hostname, definition.terminal, definition.env),
    cwd: definition.cwd,
    user: definition.user,
    terminal: definition.terminal,
    ...(definition.size === undefined ? {} : { size: definition.size }),
    stdin: definition.openStdin,
  };
}

function guestNic(mac: string): BoxSpec['network'] {
  const { address, prefixLength, gateway, nameserver, mtu } = GUEST_NETWORK;
  const resolver = { nameservers: [nameserver], search: [] };
  return { kind: 'nic', mac, mtu, address, prefixLength, gateway, ...resolver };
}

function forward(port: Port): {
  hostIp: string;
  hostPort: number;
  boxPort: number;
  protocol: 'tcp';
} {
  return { ...port, protocol: 'tcp' };
}

/** Locally administered, and the box's own for all its life. */
function macAddress(id: string): string {
  const digits = createHash('sha256').update(`mac ${id}`).digest('hex').slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}

async function makeRuntimeDirectory(
  path: string,
  identity: MachineSpec['identity'],
): Promise<void> {
  await rm(path, { recursive: true, force: true });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot make ${path}`, { cause });
  }
  await chmod(path, 0o700);
  if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
}
