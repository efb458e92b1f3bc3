/**
 * The capabilities of a container, by Kubernetes' rules.
 *
 * @module
 */
import { ALL_CAPABILITIES, checkCapabilities } from '../../boxes/spec/confinement/capabilities.ts';
import { DEFAULT_CONFINEMENT } from '../../boxes/spec/confinement/confinement.ts';
import type { Capability } from '../api/messages.ts';
import { unsupported } from '../refusal.ts';

const ALL = 'ALL';

/**
 * Unlike with Docker, a capability that is both added and dropped is dropped.
 *
 * @throws A3sError `invalid-argument` for an unknown name; `unsupported-option`
 */
export function capabilitiesOf(asked: Capability | undefined): string[] {
  const { addCapabilities = [], dropCapabilities = [] } = asked ?? {};
  checkCapabilities(addCapabilities, 'CapAdd');
  checkCapabilities(dropCapabilities, 'CapDrop');
  if ((asked?.addAmbientCapabilities ?? []).length > 0) {
    throw unsupported(
      'capabilities.add_ambient_capabilities',
      'no process has ambient capabilities',
    );
  }
  const add = addCapabilities.map(kernelName);
  const drop = dropCapabilities.map(kernelName);
  const usual = add.includes(ALL) ? ALL_CAPABILITIES : DEFAULT_CONFINEMENT.capabilities;
  const kept = drop.includes(ALL) ? [] : usual;
  const all = new Set([...kept, ...add.filter((name) => name !== ALL)]);
  for (const name of drop) all.delete(name);
  return [...all].sort();
}

function kernelName(name: string): string {
  const upper = name.toUpperCase();
  return upper === ALL || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}
