/**
 * Finds policies that are valid, and that no evidence can satisfy.
 *
 * @module
 */
import type { Library } from '../attest/load-library.ts';

type Policy = Library['STRICT_POLICY'];
type Floors = Policy['minTcb'];
type TcbClass = keyof Floors;

/** Lists of allowed values. Evidence has to match an entry of each list that the policy has. */
const LISTS = [
  'engines',
  'products',
  'reportVersions',
  'signingKeys',
  'chipAllow',
  'idKeyDigests',
  'authorKeyDigests',
  'familyIds',
  'imageIds',
] as const satisfies readonly (keyof Policy)[];

const CLASSES: Readonly<Record<Policy['products'][number], readonly TcbClass[]>> = {
  Milan: ['milan'],
  Genoa: ['genoa', 'bergamo_siena'],
  Turin: ['turin'],
};

/** Every reason for which no evidence can satisfy a policy; empty where some may. */
export function acceptsNobody(policy: Policy): readonly string[] {
  const empty = LISTS.filter((key) => policy[key]?.length === 0);
  return [
    ...empty.map((key) => `${key} is empty`),
    ...unnamedGuest(policy),
    ...unnamedSigner(policy),
    ...deniedChips(policy),
    ...untoldByVersion(policy),
    ...untoldByProduct(policy),
    ...missingMinimums(policy),
  ];
}

function unnamedGuest(policy: Policy): readonly string[] {
  const { engines, measurements, idKeyDigests, hostData } = policy;
  const ofQemu = measurements.length > 0 || idKeyDigests !== undefined;
  const named = { qemu: ofQemu, krun: policy.krunMeasurements.length > 0 };
  return [
    ...(engines.length > 0 && !engines.some((engine) => named[engine])
      ? [engines.map((engine) => UNNAMED[engine]).join(', and ')]
      : []),
    ...(hostData === undefined ? ["hostData is not said (32 bytes, or 'any-explicit')"] : []),
  ];
}

const UNNAMED: Readonly<Record<Policy['engines'][number], string>> = {
  qemu: 'neither measurements nor idKeyDigests names a guest',
  krun: 'krunMeasurements names no guest of libkrun',
};

function unnamedSigner({ signingKeys, cspIds }: Policy): readonly string[] {
  const vlekAlone = signingKeys.length > 0 && signingKeys.every((kind) => kind === 'VLEK');
  return vlekAlone && cspIds.length === 0
    ? ['signingKeys allows VLEKs alone, and cspIds names no provider of theirs']
    : [];
}

function deniedChips({ chipAllow = [], chipDeny }: Policy): readonly string[] {
  const denied = new Set(chipDeny);
  return chipAllow.length > 0 && chipAllow.every((chip) => denied.has(chip))
    ? ['chipDeny has every chip of chipAllow']
    : [];
}

/** Older reports lack fields of newer ones. */
function untoldByVersion(policy: Policy): readonly string[] {
  const { reportVersions, requireAliasCheck, minMitigationVector } = policy;
  if (reportVersions.length === 0) return [];
  const newest = Math.max(...reportVersions);
  return [
    ...(requireAliasCheck && newest < 3
      ? ['requireAliasCheck asks for what only report versions from 3 on tell']
      : []),
    ...(minMitigationVector !== 0n && newest < 5
      ? ['minMitigationVector asks for what only report versions from 5 on tell']
      : []),
  ];
}

function untoldByProduct({ products, requireIommuWriteSafe }: Policy): readonly string[] {
  return requireIommuWriteSafe && products.length > 0 && !products.includes('Turin')
    ? ['requireIommuWriteSafe asks for what only Turin tells']
    : [];
}

/** A processor needs a minimum in each of the three. */
function missingMinimums(policy: Policy): readonly string[] {
  const { products, minTcb, minLaunchTcb = minTcb, minCommittedTcb = minTcb } = policy;
  const allowed = products.flatMap((product) => CLASSES[product]);
  if (allowed.length === 0) return [];
  const minimums = Object.entries({ minTcb, minLaunchTcb, minCommittedTcb });
  const none = minimums.filter(([, floors]) => !allowed.some((name) => floors[name]));
  const stated = none.filter(([key]) => key === 'minTcb' || Reflect.get(policy, key) !== undefined);
  if (none.length > 0) {
    return stated.map(([key]) => `${key} has no minimum for any processor of products`);
  }
  return allowed.some((name) => minimums.every(([, floors]) => floors[name]))
    ? []
    : [
        'no processor of products has a minimum in each of minTcb, minLaunchTcb and minCommittedTcb',
      ];
}
