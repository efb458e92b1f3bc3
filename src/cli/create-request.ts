/**
 * The command line of `run` and `create`, as the body of a create request.
 *
 * Everything is checked here before the server is asked, or even started.
 *
 * @module
 */
import type { Invocation } from './command.ts';
import type { Confidential } from './confidential-request.ts';
import { UsageError } from './usage-error.ts';
import {
  parseEnvironment,
  readEnvironmentFile,
  readLabelFile,
  toMap,
} from './values/environment.ts';
import { type PortBinding, parsePort, RATLS_PORT } from './values/port.ts';
import { parseBytes, parseCpus } from './values/size.ts';
import { parseVolume } from './values/volume.ts';

export interface CreateRequest {
  readonly name: string | undefined;
  readonly body: Record<string, unknown>;
}

/**
 * @param attached whether a client will hold the box's output from its start
 * @param confidential undefined for a plain box
 */
export function createRequest(
  invocation: Invocation,
  attached: boolean,
  confidential?: Confidential,
): CreateRequest {
  const { flags, operands, context } = invocation;
  const [image = '', ...command] = operands;
  if (image === '')
    throw new UsageError('invalid reference: the image is empty', { code: 'invalid-reference' });
  const interactive = flags.bool('interactive');
  const ports = flags.parsedList('publish', parsePort).flat();
  checkRatlsPort(invocation, ports, confidential);
  const entrypoint = flags.string('entrypoint');
  const body = {
    Image: image,
    ...(command.length === 0 ? {} : { Cmd: command }),
    // An empty entrypoint clears the image's: Docker sends one empty string.
    ...(entrypoint === undefined ? {} : { Entrypoint: [entrypoint] }),
    Env: environment(invocation),
    Labels: toMap([...flags.list('label-file').flatMap(readLabelFile), ...flags.list('label')]),
    ...given('Hostname', flags.string('hostname')),
    ...given('User', flags.string('user')),
    ...given('WorkingDir', flags.string('workdir')),
    ...given('StopSignal', flags.string('stop-signal')),
    ...given('StopTimeout', flags.int('stop-timeout')),
    Tty: flags.bool('tty'),
    OpenStdin: interactive,
    StdinOnce: interactive && attached,
    AttachStdin: interactive && attached,
    AttachStdout: attached,
    AttachStderr: attached,
    ExposedPorts: Object.fromEntries(ports.map((port) => [port.boxPort, {}])),
    HostConfig: {
      AutoRemove: flags.bool('rm'),
      Binds: flags.parsedList('volume', (spec) => parseVolume(spec, context.cwd)),
      NetworkMode: flags.parsed('network', network) ?? 'default',
      PortBindings: portBindings(ports),
      ...given('NanoCpus', flags.parsed('cpus', parseCpus)),
      ...given('Memory', flags.parsed('memory', parseBytes)),
      ...consoleSize(invocation),
    },
    ...given('Confidential', confidential),
  };
  return { name: flags.string('name'), body };
}

function environment({ flags, context }: Invocation): readonly string[] {
  const fromFiles = flags
    .list('env-file')
    .flatMap((path) => readEnvironmentFile(path, context.env));
  const fromFlags = flags.parsedList('env', (text) => parseEnvironment(text, context.env));
  return [...fromFiles, ...fromFlags.filter((entry) => entry !== undefined)];
}

function network(name: string): string {
  if (name === 'none' || name === 'default') return name;
  throw new UsageError(`unsupported network ${name}: a box has the default network or none`, {
    code: 'unsupported-option',
    remedy: 'Use --network none, or leave the flag out.',
  });
}

/** Only a confidential box answers there, and only on a network. */
function checkRatlsPort(
  { flags }: Invocation,
  ports: readonly PortBinding[],
  confidential: Confidential | undefined,
): void {
  if (!ports.some(({ boxPort }) => boxPort === RATLS_PORT)) return;
  if (confidential === undefined) {
    throw new UsageError('cannot publish ratls without --tee: only a confidential box has it', {
      code: 'unsupported-option',
      remedy: 'Add --tee snp, or --tee simulate where the host has no such hardware.',
    });
  }
  if (flags.string('network') !== 'none') return;
  throw new UsageError('cannot publish ratls with --network none: nothing reaches the box', {
    code: 'unsupported-option',
    remedy: "Leave one of both out; through the server, the box's name is enough.",
  });
}

function portBindings(ports: readonly PortBinding[]): Record<string, unknown> {
  const byPort: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const bindings = byPort[port.boxPort] ?? [];
    bindings.push({ HostIp: port.hostIp, HostPort: port.hostPort });
    byPort[port.boxPort] = bindings;
  }
  return byPort;
}

function consoleSize({ flags, context }: Invocation): { ConsoleSize?: readonly [number, number] } {
  if (!flags.bool('tty')) return {};
  const { rows, columns } = context.stdout;
  if (rows === undefined || columns === undefined) return {};
  return { ConsoleSize: [rows, columns] };
}

function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  if (value === undefined) return {};
  return { [key]: value } as Partial<Record<K, V>>;
}
