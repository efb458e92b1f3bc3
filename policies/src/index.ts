export {
  BOX_SPEC_SCHEMA,
  BoxSpec,
  Confinement,
  ProcessSpec,
  Resources,
  ULIMITS,
} from './box-spec.ts';
export { type CanonicalValue, canonicalJson } from './canonical-json.ts';
export {
  HOST_PERMISSIONS,
  type HostPermission,
  LAUNCH_SPEC_SCHEMA,
  LaunchSpec,
  launchSpecText,
  MAX_LAUNCH_SPEC,
} from './launch-spec.ts';
export { KNOWN_VULNERABLE_SCHEMA, parseKnownVulnerable } from './parse-known-vulnerable.ts';
export { LaunchSpecError, parseLaunchSpec } from './parse-launch-spec.ts';
export { differingFields, type SpecDifference } from './spec-differences.ts';
