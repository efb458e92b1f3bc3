/**
 * Chooses the engine of a new box, and refuses what boxes of that engine cannot have.
 *
 * @module
 */
import { checkKrunSize, requireFeature } from '../../engine/engine-name.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { askedCpus, vmCpus, vmMemory } from '../spec/resources.ts';
import type { CreateRequest } from './create-request.ts';
import type { Mounts } from './mounts.ts';

/**
 * @returns the engine on record; undefined: the automatic one
 * @throws A3sError `engine-unavailable`, `engine-unsupported`, before anything is changed
 */
export async function chooseEngine(
  { engine }: Pick<Services, 'engine'>,
  request: CreateRequest,
): Promise<BoxDefinition['engine']> {
  const { configured } = engine;
  const chosen =
    request.engine !== undefined
      ? ({ name: request.engine, by: 'request' } as const)
      : configured !== undefined
        ? ({ name: configured, by: 'configuration' } as const)
        : undefined;
  if (chosen === undefined) return undefined;
  const { name } = chosen;
  if (request.confidential !== undefined) {
    requireFeature(name, 'confidential', 'create a confidential box');
  }
  if (request.endpoints.length > 0 || request.network === 'user') {
    requireFeature(name, 'networks', 'create a box in a user-defined network');
  }
  if ((request.boxLinks ?? []).length > 0) {
    requireFeature(name, 'networks', 'create a box with links');
  }
  if (request.egress !== undefined || request.egressSecrets !== undefined) {
    requireFeature(name, 'egress', 'create a box with a network policy or egress secrets');
  }
  if (Object.values(request.limits.disk).some((rate) => rate > 0)) {
    requireFeature(name, 'disk-limits', 'create a box with a limit of its disk');
  }
  if (name === 'krun') {
    const { memoryBytes } = request;
    checkKrunSize({ memoryBytes: vmMemory(memoryBytes), cpus: vmCpus(askedCpus(request)) });
  }
  await engine.requireAvailable(name);
  return chosen;
}

/**
 * The mounts of a box, once they are known.
 *
 * @throws A3sError `engine-unsupported`
 */
export async function checkEngineMounts(
  { engine }: Pick<Services, 'engine'>,
  chosen: BoxDefinition['engine'],
  { binds, volumeMounts }: Mounts,
): Promise<void> {
  if (chosen === undefined || binds.length + volumeMounts.length === 0) return;
  await engine.requireShares(chosen.name, 'create a box with bind mounts or volumes');
}
