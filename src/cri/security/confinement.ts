/**
 * The security context of a container, as the agent's confinement.
 *
 * @module
 */
import type { Confinement } from '@a3s-box/policies';
import { ALL_CAPABILITIES } from '../../boxes/spec/confinement/capabilities.ts';
import { DEFAULT_CONFINEMENT } from '../../boxes/spec/confinement/confinement.ts';
import { SupplementalGroupsPolicy } from '../api/enums.ts';
import type { LinuxContainerSecurityContext } from '../api/messages.ts';
import { numericId } from '../integer.ts';
import { invalid, unsupported } from '../refusal.ts';
import { capabilitiesOf } from './capabilities.ts';
import { checkNamespaces } from './namespaces.ts';
import { checkApparmor, seccompOf } from './profiles.ts';

const OF = 'linux.security_context';

/** A container whose security context asks for nothing. */
const NOTHING: Confinement = DEFAULT_CONFINEMENT;

/**
 * @param oomScoreAdj is among the resources of a container
 * @throws A3sError `invalid-argument`; `unsupported-option` for what no container can have
 */
export async function confinementOf(
  asked: LinuxContainerSecurityContext | undefined,
  oomScoreAdj: number,
): Promise<Confinement> {
  const score = oomScoreAdj === 0 ? {} : { oomScoreAdj };
  if (asked === undefined) return { ...NOTHING, groupsPolicy: 'merge', ...score };
  checkNamespaces(asked.namespaceOptions, OF);
  checkApparmor(asked);
  if (asked.seccompProfilePath !== '' && asked.seccomp === undefined) {
    throw unsupported(`${OF}.seccomp_profile_path`, 'seccomp has taken its place');
  }
  const groupsPolicy = groupsPolicyOf(asked);
  const groups = asked.supplementalGroups.map((group) =>
    numericId(group, `${OF}.supplemental_groups`),
  );
  const more = { ...score, groupsPolicy, ...(groups.length === 0 ? {} : { groups }) };
  if (asked.privileged) return { ...PRIVILEGED, noNewPrivileges: asked.noNewPrivs, ...more };
  const capabilities = capabilitiesOf(asked.capabilities);
  return {
    capabilities,
    noNewPrivileges: asked.noNewPrivs,
    ...(await seccompOf(asked.seccomp, capabilities)),
    maskedPaths: orUsual(asked.maskedPaths, NOTHING.maskedPaths),
    readonlyPaths: orUsual(asked.readonlyPaths, NOTHING.readonlyPaths),
    ...more,
  };
}

/** It has all of its guest, and nothing of the node. */
const PRIVILEGED: Confinement = {
  capabilities: [...ALL_CAPABILITIES],
  noNewPrivileges: false,
  seccomp: 'unconfined',
  maskedPaths: [],
  readonlyPaths: [],
  privileged: true,
};

/** An empty list asks for nothing, as with containerd. */
function orUsual(asked: readonly string[], usual: readonly string[]): string[] {
  return [...(asked.length === 0 ? usual : asked)];
}

/** Kubernetes names it since 1.31; without a name it is what it was before. */
function groupsPolicyOf({
  supplementalGroupsPolicy: asked,
}: LinuxContainerSecurityContext): 'merge' | 'strict' {
  switch (asked) {
    case SupplementalGroupsPolicy.Merge:
      return 'merge';
    case SupplementalGroupsPolicy.Strict:
      return 'strict';
    default:
      throw invalid(`${OF}.supplemental_groups_policy`, `${asked} is none`);
  }
}
