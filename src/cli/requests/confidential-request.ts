/**
 * The flags of a confidential box, as `Confidential` of a create request.
 *
 * What cannot be combined is refused here, before the server is asked.
 *
 * @module
 */
import type { HostPermission, Sealing } from '@a3s-box/policies';
import { parseBroker } from '../../box-options/broker.ts';
import { parseDeadline } from '../../box-options/deadline.ts';
import { parseHostNetworks } from '../../box-options/host-networks.ts';
import { parsePermissions } from '../../box-options/host-permission.ts';
import { parseSecret, type SecretOption } from '../../box-options/secret.ts';
import type { Confidential } from '../../docker-api/a3s/confidential.ts';
import { bootDirectory } from '../boot-library.ts';
import type { Invocation } from '../command.ts';
import { readIdBlock } from '../files/id-block-file.ts';
import { CONFIDENTIAL_ONLY, TEE_FLAG } from '../flags/confidential-flags.ts';
import { readInjectorKey } from '../signing/injector-key.ts';
import { UsageError } from '../usage-error.ts';

type Secret = NonNullable<Confidential['Secrets']>[number];

const DEPLOYMENT = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const SEALINGS: readonly Sealing[] = ['none', 'exact', 'upgradable'];
const CHANGES = ['memory', 'encrypted-disk'] as const;

/** Undefined for a plain box. @throws UsageError by name for a flag that the box cannot have */
export async function confidentialRequest(
  invocation: Invocation,
): Promise<Confidential | undefined> {
  const { context, flags } = invocation;
  const tee = flags.parsed(TEE_FLAG.name, parseTee);
  if (tee === undefined) return refuseWithoutTee(invocation);
  const hostMay = permissions(invocation);
  refuseInputs(invocation, hostMay);
  const secrets = flags.parsedList('secret', parseSecret);
  refuseTwice(secrets);
  const broker = flags.parsed('broker', parseBroker);
  const isUsed = isAtBroker(invocation) || broker?.tokens === true;
  requireBroker(secrets, isUsed, broker !== undefined);
  const file = flags.string('id-block');
  return {
    Tee: tee,
    HostMay: hostMay,
    Secrets: await Promise.all(secrets.map((secret) => secretBody(invocation, secret))),
    ...(broker === undefined
      ? {}
      : {
          Broker: {
            Host: broker.host,
            Port: broker.port,
            Tenant: broker.tenant,
            Key: broker.key,
            ...(broker.tokens === true ? { Tokens: true } : {}),
          },
        }),
    HostNetworks: flags.parsed('host-networks', parseHostNetworks),
    ...(flags.list('host-name').length === 0 ? {} : { HostNames: flags.list('host-name') }),
    Deployment: flags.parsed('deployment', parseDeployment),
    Changes: flags.parsed('changes', parseChanges),
    Sealing: flags.parsed('sealing', parseSealing),
    ...(await sealerKeys(invocation)),
    SecretsDeadline: flags.parsed('secrets-deadline', parseDeadline),
    BootSet: flags.parsed('boot', (text) => parseBoot(context.cwd, text)),
    ...(file === undefined ? {} : await readIdBlock(context, file)),
  };
}

/**
 * A foreground run shows output, which the host may not see unless it is permitted.
 *
 * @throws UsageError
 */
export function requireOutput({ HostMay }: Confidential): void {
  if (HostMay?.includes('logs') === true) return;
  throw new UsageError(
    'cannot run it in the foreground: the host may not see the output of this confidential box',
    {
      code: 'host-not-permitted',
      remedy: 'Run it with -d, or permit the host to see what it writes with --host-may logs.',
    },
  );
}

/** Who will answer for the box: the processor, or what stands in for it. */
function parseTee(text: string): Confidential['Tee'] {
  if (text === 'snp' || text === 'simulate') return text;
  throw new RangeError('it takes snp or simulate');
}

function parseDeployment(text: string): string {
  if (DEPLOYMENT.test(text)) return text;
  throw new RangeError("it takes lower-case letters, digits, '.', '_' and '-', at most 63");
}

function parseChanges(text: string): (typeof CHANGES)[number] {
  const changes = CHANGES.find((known) => known === text);
  if (changes !== undefined) return changes;
  throw new RangeError(`it takes ${CHANGES.join(' or ')}`);
}

function parseSealing(text: string): Sealing {
  const sealing = SEALINGS.find((known) => known === text);
  if (sealing !== undefined) return sealing;
  throw new RangeError(`it takes ${SEALINGS.join(', ')}`);
}

async function sealerKeys({
  context,
  flags,
}: Invocation): Promise<Pick<Confidential, 'SealerKeys'>> {
  const files = flags.list('sealer');
  if (files.length === 0) return {};
  const keys = files.map((path) => readInjectorKey(context, path, '--sealer'));
  return { SealerKeys: await Promise.all(keys) };
}

function parseBoot(cwd: string, text: string): string {
  if (text !== '') return bootDirectory(cwd, text) ?? text;
  throw new RangeError('it names a boot set');
}

function refuseWithoutTee({ flags }: Invocation): undefined {
  const other = CONFIDENTIAL_ONLY.find(({ name }) => flags.given(name));
  if (other === undefined) return undefined;
  throw new UsageError(`cannot use --${other.name} without --tee: it is for confidential boxes`, {
    code: 'unsupported-option',
    remedy: 'Add --tee snp, or --tee simulate where the host has no such hardware.',
  });
}

function permissions({ flags }: Invocation): readonly HostPermission[] {
  return [...new Set(flags.parsedList('host-may', parsePermissions).flat())].sort();
}

/** What the host would put into the box, or take out of it. */
function refuseInputs({ flags }: Invocation, hostMay: readonly HostPermission[]): void {
  const mounting = (['volume', 'mount'] as const).find((name) =>
    flags.list(name).some((text) => !isSealed(name, text)),
  );
  if (mounting !== undefined) {
    const label = mounting === 'volume' ? '-v, --volume' : '--mount';
    throw new UsageError(`cannot use ${label} with --tee: the host would choose the files`, {
      code: 'unsupported-option',
      remedy:
        'Put the files into the image, have them fetched by the workload, or use a sealed volume: -v NAME:PATH:sealed,init.',
    });
  }
  const typed = ['interactive', 'tty'].find((name) => flags.bool(name));
  if (typed === undefined || hostMay.includes('attach')) return;
  throw new UsageError(`cannot use --${typed}: the host may not attach to this confidential box`, {
    code: 'host-not-permitted',
    remedy: 'Permit it with --host-may attach.',
  });
}

/** Only guests of the box's launch spec read a sealed volume. The server checks the rest. */
function isSealed(flag: 'volume' | 'mount', text: string): boolean {
  if (flag === 'mount') return /(^|,)"?volume-opt=type=sealed"?(,|$)/.test(text);
  const [, , mode = ''] = text.split(':');
  return mode.split(',').includes('sealed');
}

/** Whether the broker has the key or the counter of a sealed volume. */
function isAtBroker({ flags }: Invocation): boolean {
  const modes = flags.list('volume').map((text) => text.split(':')[2] ?? '');
  return (
    modes.some((mode) => /(^|,)(key|counter)=/.test(mode)) ||
    flags.list('mount').some((text) => /(^|,)"?volume-opt=(key|counter)=/.test(text))
  );
}

/** @throws UsageError */
function requireBroker(secrets: readonly SecretOption[], isUsed: boolean, given: boolean): void {
  const fetched = secrets.find(({ resource }) => resource !== undefined);
  if ((fetched !== undefined || isUsed) === given) return;
  if (given) {
    throw new UsageError(
      'cannot use --broker: no secret or key is from it, and it counts no volume',
      {
        remedy:
          'Add --secret NAME:from=broker/PATH, with the path of the secret at the broker, key=broker/PATH or counter=PATH to a sealed volume, or tokens to --broker.',
      },
    );
  }
  const what =
    fetched === undefined
      ? 'have the key or the counter of a sealed volume'
      : `fetch the secret ${fetched.name}`;
  throw new UsageError(`cannot ${what}: there is no --broker`, {
    remedy: 'Add --broker https://HOST:PORT,key=SHA256. For a file of a key write from=./broker/….',
  });
}

function refuseTwice(secrets: readonly SecretOption[]): void {
  const twice = repeated(secrets.map(({ name }) => name));
  if (twice !== undefined) throw new UsageError(`--secret: ${twice} is given twice`);
  const variable = repeated(secrets.map((secret) => secret.variable));
  if (variable === undefined) return;
  throw new UsageError(`--secret: the variable ${variable} is given twice`, {
    remedy: 'Give each secret a variable of its own with env=VARIABLE.',
  });
}

function repeated(words: readonly (string | undefined)[]): string | undefined {
  return words.find((word, index) => word !== undefined && words.indexOf(word) !== index);
}

async function secretBody(
  { context }: Invocation,
  { name, keys, allowAnyInjector, resource, refresh, variable }: SecretOption,
): Promise<Secret> {
  return {
    Name: name,
    InjectorKeys: await Promise.all(keys.map((path) => readInjectorKey(context, path))),
    AllowAnyInjector: allowAnyInjector,
    Resource: resource,
    Refresh: refresh,
    Env: variable,
  };
}
