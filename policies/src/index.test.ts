import { expect, it } from 'vitest';
import * as policy from './attestation-policy/attestation-policy.ts';
import * as validated from './attestation-policy/is-attestation-policy.ts';
import * as document from './document.ts';
import * as image from './image-policy/image-policy.ts';
import * as index from './index.ts';
import * as narrowing from './narrow.ts';
import * as network from './network-policy/network-policy.ts';
import * as host from './registry-host.ts';

it('exports exactly these names from the policies entry', () => {
  expect(Object.keys(index).sort()).toEqual([
    'BOX_SPEC_SCHEMA',
    'BoxSpec',
    'BrokerEndpoint',
    'CONTAINER_REQUEST_SCHEMA',
    'CONTAINER_SPEC_SCHEMA',
    'Confinement',
    'ContainerRequest',
    'ContainerSpec',
    'DEFAULT_BROKER_TENANT',
    'HOST_PERMISSIONS',
    'KNOWN_VULNERABLE_SCHEMA',
    'LAUNCH_SPEC_SCHEMA',
    'LaunchSpec',
    'LaunchSpecError',
    'LaunchedContainer',
    'MAX_HOST_NETWORKS',
    'MAX_LAUNCH_SPEC',
    'POD_LAUNCH_SPEC_SCHEMA',
    'POD_SPEC_SCHEMA',
    'Pids',
    'PodLaunchSpec',
    'PodSpec',
    'ProcessSpec',
    'Resources',
    'SEALING',
    'SealedVolume',
    'SealedVolumeId',
    'SealedVolumeName',
    'SeccompAction',
    'SeccompProfile',
    'TMPFS_FLAGS',
    'Tmpfs',
    'ULIMITS',
    'brokerResource',
    'canonicalJson',
    'decideContainer',
    'differingFields',
    'launchSpecText',
    'parseAnyLaunchSpec',
    'parseKnownVulnerable',
    'parseLaunchSpec',
    'parsePodLaunchSpec',
    'podLaunchSpecText',
  ]);
  expect(Object.keys(policy).sort()).toEqual([
    'ATTESTATION_POLICY_SCHEMA',
    'PolicyError',
    'STRICT_POLICY',
    'TCB_MINIMUMS',
    'isAttestationPolicy',
    'parseAttestationPolicy',
  ]);
  expect(Object.keys(image).sort()).toEqual([
    'IMAGE_POLICY_SCHEMA',
    'MAX_CONDITION',
    'MAX_MATERIAL',
    'PolicyError',
    'globCovers',
    'isImagePolicyDocument',
    'isPem',
    'matchesGlob',
    'parseImagePolicy',
  ]);
  expect(Object.keys(validated)).toEqual(['isAttestationPolicy']);
  expect(Object.keys(network).sort()).toEqual([
    'MAX_NETWORK_RULES',
    'NETWORK_POLICY_SCHEMA',
    'PolicyError',
    'hostName',
    'parseNetworkPolicy',
    'parseNetworkRule',
  ]);
  expect(Object.keys(narrowing)).toEqual(['narrow']);
  expect(Object.keys(host)).toEqual(['hostSpelling']);
  expect(Object.keys(document).sort()).toEqual([
    'MAX_POLICY_DOCUMENT',
    'PolicyError',
    'readPolicyDocument',
  ]);
});
