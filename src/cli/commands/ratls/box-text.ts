/**
 * A verdict on a box, for people: every check, the identity of the box, and the conclusion.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { alignColumns } from '../../output/table.ts';
import { checkTable, SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import type { BoxCheck, BoxVerdict, Peer } from './box-verdict.ts';
import type { Library } from './peer-flags.ts';

const TITLES = { session: 'Session', verify: 'Evidence', policy: 'Policy' } as const;

export function describeBox(library: Library, verdict: BoxVerdict): string {
  const meanings = {
    session: library.RATLS_CHECKS,
    verify: library.VERIFY_CHECKS,
    policy: library.APPRAISAL_CHECKS,
  };
  const stages = ['session', 'verify', 'policy'] as const;
  const sections = stages.flatMap((stage) => {
    const checks = verdict.checks.filter((check: BoxCheck) => check.stage === stage);
    if (checks.length === 0) return [];
    return [`${TITLES[stage]}\n${checkTable(checks, meanings[stage]).join('\n')}\n`];
  });
  const banner = verdict.simulated === true ? SIMULATED_BANNER : '';
  const parts = [...sections, ...boxLines(verdict), ...fileLines(verdict), conclusion(verdict)];
  return printable(`${banner}${parts.join('\n')}\n`);
}

function boxLines({ box }: BoxVerdict): readonly string[] {
  if (box === undefined) return [];
  const { instance, specDigest, measurement, spec } = box;
  const secrets = spec.secrets.map(({ name, allowAnyInjector }) =>
    allowAnyInjector ? `${name} (ANYBODY may inject it)` : name,
  );
  const rows = [
    ['deployment', spec.deployment || 'none'],
    ...imagesOf(spec),
    ['measurement', measurement],
    ['launch spec', specDigest],
    ['instance', instance],
    ['host may', spec.hostMay.join(', ') || 'nothing but end it'],
    ['secrets', secrets.join(', ') || 'none'],
    ...secretsOfContainers(spec),
    ['sealing', sealingOf(spec)],
    ['egress', egressOf(spec)],
  ].map(([name, value]) => `  ${name}\t${value}`);
  return [`${'image' in spec ? 'Box' : 'Pod'}\n${alignColumns(rows)}`];
}

/** Of a pod, that of each container. */
function imagesOf(spec: Peer['spec']): string[][] {
  if ('image' in spec) return [['image', spec.image.manifestDigest]];
  return spec.containers.map(({ name, image }) => [`container ${name}`, image.manifestDigest]);
}

/** What each container of a pod gets, where not all of them get all. */
function secretsOfContainers(spec: Peer['spec']): string[][] {
  if ('image' in spec || spec.containers.every(({ secrets }) => secrets === undefined)) return [];
  return spec.containers.map(({ name, secrets }) => [
    `  for ${name}`,
    secrets === undefined ? 'all' : secrets.join(', ') || 'none',
  ]);
}

function sealingOf({ sealing, sealers = [] }: Peer['spec']): string {
  if (sealing === 'none') return 'none';
  const outside = sealers.length === 0 ? 'nobody outside' : `${sealers.length} keys outside`;
  return `${sealing}, by the workload and ${outside}`;
}

/** The host enforces it, which no evidence proves. */
function egressOf(spec: Peer['spec']): string {
  if (spec.network === 'none') return 'no network';
  const egress = 'egress' in spec ? spec.egress : undefined;
  if (egress === undefined) return 'not limited';
  const rules = egress.rules.length === 1 ? '1 rule' : `${egress.rules.length} rules`;
  return `${rules}, then ${egress.default}; the host alone enforces them`;
}

function fileLines({ files }: BoxVerdict): readonly string[] {
  if (files === undefined) return [];
  const rows = Object.entries(files).map(([name, path]) => `  ${name}\t${path}`);
  return [`Evidence for other tools\n${alignColumns(rows)}`];
}

function conclusion({ accepted, code, simulated, error }: BoxVerdict): string {
  if (accepted) {
    const word = simulated === true ? 'Accepted as a SIMULATED box' : 'Accepted';
    return `${word}: it proved in this session that it is what the policy asks for.`;
  }
  const remedy = error?.remedy === undefined ? '' : `\n${error.remedy}`;
  return `Rejected (${code}): ${error?.message ?? ''}${remedy}`;
}
