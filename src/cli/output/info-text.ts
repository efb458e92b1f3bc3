/**
 * `info` for people.
 *
 * @module
 */
import type { Host } from '../../docker-api/a3s/host.ts';
import type { Info } from '../../docker-api/system/system.ts';
import {
  numberOf,
  objectOf,
  objectsOf,
  type Received,
  stringOf,
  stringsOf,
} from '../client/json.ts';
import { VERSION } from '../version.ts';
import { humanMemory, humanSize } from './human.ts';

/** Docker's document, and fields that Docker does not have. */
type Shown = Received<Info & Host & { readonly Socket: string }>;

export function describeInfo(info: Shown): string {
  const lines = ['Client:', ` Version: ${VERSION}`, '', 'Server:', ...counts(info)];
  const facts: readonly (readonly [string, string])[] = [
    ['Images', String(numberOf(info.Images))],
    ['Server Version', stringOf(info.ServerVersion)],
    ['Kernel Version', stringOf(info.KernelVersion)],
    ['Operating System', stringOf(info.OperatingSystem)],
    ['OSType', stringOf(info.OSType)],
    ['Architecture', stringOf(info.Architecture)],
    ['CPUs', String(numberOf(info.NCPU))],
    ['Total Memory', humanMemory(numberOf(info.MemTotal))],
    ['Name', stringOf(info.Name)],
    ['A3S Root Dir', stringOf(info.DockerRootDir)],
    ['Socket', stringOf(info.Socket)],
    ['Rootless', info.root === false ? 'true' : ''],
    ['Jail', jail(objectOf(info.jail))],
    ['Image Policy', imagePolicy(objectOf(info.imagePolicy))],
    ['Default Engine', defaultEngine(objectOf(info.defaultEngine))],
    ['Templates', templates(objectOf(info.templates))],
  ];
  for (const [name, value] of facts) if (value !== '') lines.push(` ${name}: ${value}`);
  lines.push(...engines(info));
  for (const warning of stringsOf(info.Warnings)) lines.push(`WARNING: ${warning}`);
  return `${lines.join('\n')}\n`;
}

function counts(info: Shown): readonly string[] {
  return [
    ` Containers: ${numberOf(info.Containers)}`,
    `  Running: ${numberOf(info.ContainersRunning)}`,
    `  Paused: ${numberOf(info.ContainersPaused)}`,
    `  Stopped: ${numberOf(info.ContainersStopped)}`,
  ];
}

/** What stands between the host and what serves a box. */
function jail(features: Received<Host['jail']>): string {
  const built = [
    ...(features.identity === true ? ['own user id'] : []),
    ...(features.namespaces === true ? ['own namespaces'] : []),
    ...(features.landlock === true ? ['Landlock'] : []),
  ];
  const reason = [features.reason, features.landlockReason]
    .map(stringOf)
    .filter(Boolean)
    .join('; ');
  const accepted = features.weakAccepted === true;
  const none = accepted ? 'none, as A3S_ALLOW_WEAK_JAIL=1 accepts' : 'none';
  const all = features.allRequired === true ? ['all required, by A3S_JAIL=require'] : [];
  const shown = [...(built.length === 0 ? [none] : built), ...all].join(', ');
  return [shown, ...(reason === '' ? [] : [`(${reason})`])].join(' ').trim();
}

/** Where the standing policy is, or why no image can be used. */
function imagePolicy({ source, path, digest, problem }: Received<Host['imagePolicy']>): string {
  if (problem !== undefined) return stringOf(objectOf(problem).message);
  if (digest === undefined) return '';
  const place = source === 'built-in' ? 'built in, which allows every image' : stringOf(path);
  return `${place} (${stringOf(digest)})`;
}

/** What boxes start warm from. */
function templates({ enabled, count, inUse, sizeBytes }: Received<Host['templates']>): string {
  if (enabled === undefined) return '';
  if (enabled !== true) return 'off';
  const used = numberOf(inUse) === 0 ? '' : `, ${numberOf(inUse)} in use`;
  return `${numberOf(count)} (${humanSize(numberOf(sizeBytes))}${used})`;
}

function defaultEngine({ name, reason }: Received<Host['defaultEngine']>): string {
  return name === undefined ? '' : `${stringOf(name)} (${stringOf(reason)})`;
}

/** What each engine can do here, and why not where it cannot. */
type Capability = Received<Host['engines'][number]['tees'][number]>;

function engines(info: Shown): readonly string[] {
  const lines = [' Engines:'];
  for (const engine of objectsOf(info.engines)) {
    const version = stringOf(engine.version);
    lines.push(`  ${stringOf(engine.name)}${version && ` ${version}`}: ${verdict(engine)}`);
    lines.push(...capabilities('Accelerators', engine.accelerators));
    lines.push(...capabilities('TEEs', engine.tees));
  }
  return lines;
}

function capabilities(title: string, value: readonly Capability[] | undefined): readonly string[] {
  const found = objectsOf(value);
  if (found.length === 0) return [];
  return [`   ${title}:`, ...found.map((item) => `    ${stringOf(item.name)}: ${verdict(item)}`)];
}

function verdict(item: Capability): string {
  const { available, reason } = item;
  // What can be had may have to be warned of.
  if (available === true) return ['available', stringOf(reason)].filter(Boolean).join(': ');
  return `not available: ${stringOf(reason) || 'no reason given'}`;
}
