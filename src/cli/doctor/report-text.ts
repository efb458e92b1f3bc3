/**
 * A report of `doctor` for people, to be attached to an issue.
 *
 * @module
 */
import type { Host } from '../../docker-api/a3s/host.ts';
import { numberOf, objectOf, objectsOf, type Received, stringOf } from '../client/json.ts';
import { humanMemory, humanSize } from '../output/human.ts';
import { type Attempt, isFailure, nameOf, type Report } from './findings.ts';
import type { HostFacts } from './host-facts.ts';

/** Everything above the self-tests, whose lines follow as they end. */
export function describeHost({ version, host, server }: Omit<Report, 'selfTests' | 'findings'>) {
  return [
    `a3s-box ${version}`,
    '',
    'Host:',
    ...hostLines(host),
    '',
    'Control server:',
    ...(isFailure(server) ? [` failed: ${server.failure.message}`] : serverLines(server)),
    '',
    '',
  ].join('\n');
}

/** The line of a self-test. */
export function describeAttempt(attempt: Attempt): string {
  const name = nameOf(attempt);
  if (isFailure(attempt)) {
    const { code, message } = attempt.failure;
    return ` ${name}: failed (${code}): ${message.replaceAll('\n', '\n   ')}\n`;
  }
  const { launchMs, bootMs, runMs, kernel } = attempt.result;
  const times = [
    `VMM ${numberOf(launchMs)} ms`,
    `boot ${numberOf(bootMs)} ms`,
    `program ${numberOf(runMs)} ms`,
  ];
  return ` ${name}: passed: ${times.join(', ')} (kernel ${stringOf(kernel)})\n`;
}

/** What is wrong, and what to do. */
export function describeFindings(findings: Report['findings']): string {
  if (findings.length === 0) return '\nNothing is wrong.\n';
  const lines = findings.flatMap(({ severity, message, remedy }) => [
    `${severity}: ${message}`,
    ...(remedy === undefined ? [] : [`  ${remedy}`]),
  ]);
  return `\n${lines.join('\n')}\n`;
}

function hostLines(host: HostFacts): string[] {
  const virtualization = [
    host.virtualization || 'none',
    ...(host.nested ? ['this host is a virtual machine'] : []),
  ];
  const rows: readonly (readonly [string, string])[] = [
    ['System', host.system],
    ['Kernel', `${host.kernel} ${host.architecture}`],
    ['Node', host.node],
    ['Processors', `${host.processors} (${host.processor || 'unknown'})`],
    ['Memory', humanMemory(host.memoryBytes)],
    ['Virtualization', virtualization.join(', ')],
    ['/dev/kvm', host.kvm],
    ['User', host.user],
    ['Container', host.container ? 'yes' : 'no'],
    ['Cgroups', host.cgroups || 'none'],
    ['Security modules', host.lsm],
    ['Open files', host.openFiles],
    ['Home', `${host.home} (${humanSize(host.freeBytes)} free)`],
  ];
  return rows.filter(([, value]) => value !== '').map(([name, value]) => ` ${name}: ${value}`);
}

function serverLines(server: Received<Host>): string[] {
  const programs = objectsOf(server.programs);
  const found = programs.filter(({ path }) => path !== undefined);
  const { identity, namespaces, reason, landlock, landlockReason } = objectOf(server.jail);
  const reasons = [reason, landlockReason].map(stringOf).filter(Boolean).join('; ');
  const features = [
    ...(identity === true ? ['own user id'] : []),
    ...(namespaces === true ? ['own namespaces'] : []),
    ...(landlock === true ? ['Landlock'] : []),
  ];
  return [
    ` Programs: ${found.length} of ${programs.length}`,
    ` Jail: ${features.join(', ') || 'none'}${reasons && ` (${reasons})`}`,
    ...objectsOf(server.engines).flatMap((engine) => [
      ` Engine ${verdict(engine, stringOf(engine.version))}`,
      ...objectsOf(engine.accelerators).map((one) => `  accelerator ${verdict(one)}`),
      ...objectsOf(engine.tees).map((one) => `  TEE ${verdict(one)}`),
    ]),
  ];
}

function verdict(
  { name, available, reason }: Received<Host['engines'][number]['tees'][number]>,
  version = '',
): string {
  const named = `${stringOf(name)}${version && ` ${version}`}`;
  if (available === true) return `${named}: available`;
  return `${named}: not available: ${stringOf(reason) || 'no reason given'}`;
}
