/**
 * Plans what makes a box confidential, in full, before anything is changed.
 *
 * @module
 */
import { parseIdAuth, parseIdBlock } from '@a3s-box/attestation/measure';
import type { ConfidentialBoot } from '../../boot/bootset.ts';
import { refuseVulnerable } from '../../boot/vulnerable.ts';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { type BoxDefinition, stopSignalOf } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';
import type { Services } from '../services/services.ts';
import { confinementOf, DRIVEN_DEVICE } from '../spec/confinement/confinement.ts';
import { askedCpus, vmCpus } from '../spec/resources.ts';
import { signalName } from '../spec/signal.ts';
import { firstNetworks, hostNetworksOf } from './host-networks.ts';
import { namesOf } from './launch-names.ts';
import { DEFAULT_HOSTNAME, launchSpecOf, type SpecifiedBox } from './launch-spec.ts';
import { launchRecordFor } from './measurement.ts';

/**
 * The revision of launch specs that added `directories`. The agents of older boot sets refuse
 * fields that they do not know.
 */
const WITH_DIRECTORIES = 2;
/** The one that added `tmpfs` and `shmBytes`. */
const WITH_MEMORY_MOUNTS = 3;
/** The one that added `sealing` other than none, and `sealers`. */
const WITH_SEALING = 4;
/** The one that added `volumes`. */
const WITH_VOLUMES = 5;
/** The one that added `broker`, and secrets with a `resource`. */
const WITH_BROKER = 5;

/** The one that added `counter` to `volumes`. */
const WITH_COUNTERS = 6;
/** The one that added `key` to `volumes`. */
const WITH_KEYS = 8;
/** The one that added `refresh` to `secrets`. */
const WITH_REFRESH = 6;
/** The one that added `tokens` to `broker`. */
const WITH_TOKENS = 6;
/** The one that added `egress`. */
const WITH_EGRESS = 7;

/** The one that added `privileged`. */
const WITH_PRIVILEGED = 9;
/** The one that added `groups`, `oomScoreAdj`, `domainname` and `sysctls`. */
const WITH_OPTIONS = 10;
/** The one that added `devices`, `deviceRules`, `seccompProfile` and `changesBytes`. */
const WITH_DEVICES = 11;
/** The one that added `hosts` and `resolver`. */
const WITH_NAMES = 12;
/** The one that added `hostNetworks`. */
const WITH_HOST_NETWORKS = 13;
/** The one that added `hostNames`, whose agent has cards for later networks. */
const WITH_HOST_NAMES = 14;

/** The module of the one device whose driver is loaded for the box alone. */
const DRIVER = 'tun';

/** A request, merged with its image. */
type PlannedBox = Omit<SpecifiedBox, 'hostname' | 'stopSignal'> & Pick<BoxDefinition, 'stopSignal'>;

/** What the box is to be, and what its request was resolved to. */
export interface Plan {
  readonly planned: PlannedBox;
  /** Undefined: the request names none. */
  readonly hostname: string | undefined;
  readonly asked: ConfidentialRequest;
  readonly image: Image;
  readonly bootSet: string;
  /** Digests that a policy excepts from the list of what is known to be vulnerable. */
  readonly allowKnownVulnerable?: readonly string[];
}

/**
 * @throws A3sError for what does not fit: the box, its keys, the image's layers, the boot set, the
 * ID block
 */
export async function planConfidential(
  rt: Pick<Services, 'boot' | 'images'>,
  { planned, hostname = DEFAULT_HOSTNAME, asked, image, bootSet, allowKnownVulnerable }: Plan,
): Promise<Pick<BoxDefinition, 'hostname' | 'stopSignal' | 'confidential'>> {
  const stopSignal = signalName(stopSignalOf(planned));
  const boot = await confidentialBoot(rt, bootSet, allowKnownVulnerable);
  checkMemoryMounts(planned, boot, bootSet);
  checkSealing(asked, boot, bootSet);
  checkVolumes(planned, boot, bootSet);
  checkBroker(asked, boot, bootSet);
  checkEgress(planned, boot, bootSet);
  checkSecurity(planned, boot, bootSet);
  checkNames(planned, boot, bootSet);
  checkNetworks(planned, asked, boot, bootSet);
  checkDriver(planned, boot, bootSet);
  const layers = await rt.images.verityLayers(image);
  const volumes = boot.launchSpec < WITH_DIRECTORIES ? [] : image.config.volumes;
  const { spec, text, digest } = launchSpecOf(
    { ...planned, hostname, stopSignal },
    { manifestDigest: image.manifestDigest, layers, volumes },
    asked,
  );
  const { identity } = asked;
  if (identity !== undefined) {
    const { privileged } = planned.security;
    const cpus = vmCpus(askedCpus(planned));
    await checkIdentity(boot, identity, { tee: asked.tee, cpus, privileged });
  }
  return {
    hostname,
    ...(planned.stopSignal === undefined ? {} : { stopSignal }),
    confidential: {
      tee: asked.tee,
      launchSpec: text,
      specDigest: digest,
      hostMay: spec.hostMay,
      secrets: spec.secrets.map(({ name, allowAnyInjector, resource, refresh }) => ({
        name,
        allowAnyInjector,
        ...(resource === undefined ? {} : { resource }),
        ...(refresh === undefined ? {} : { refresh }),
      })),
      ...(spec.broker === undefined ? {} : { broker: spec.broker }),
      secretsDeadline: spec.secretsDeadline,
      deployment: spec.deployment,
      changes: spec.rootfs.changes,
      ...(spec.confinement.privileged === true ? { privileged: true } : {}),
      ...(spec.sealing === 'none' ? {} : { sealing: spec.sealing }),
      ...(identity === undefined
        ? {}
        : { identity: { block: base64(identity.block), auth: base64(identity.auth) } }),
    },
  };
}

/**
 * Finds out at create what the agent would refuse at start.
 *
 * @throws A3sError `unsupported-option`
 */
function checkMemoryMounts(
  { tmpfs = [], shmBytes }: PlannedBox,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  if (launchSpec >= WITH_MEMORY_MOUNTS || (tmpfs.length === 0 && shmBytes === undefined)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} is from before confidential boxes had --tmpfs and --shm-size`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkVolumes(
  { sealedVolumes = [] }: PlannedBox,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  const keyed = sealedVolumes.some(({ sealed }) => sealed?.key !== undefined);
  const counted = sealedVolumes.some(({ sealed }) => sealed?.counter !== undefined);
  const asked: readonly (readonly [string, number, boolean])[] = [
    ['sealed volumes with a key of a broker', WITH_KEYS, keyed],
    ['counters of sealed volumes', WITH_COUNTERS, counted],
    ['sealed volumes', WITH_VOLUMES, sealedVolumes.length > 0],
  ];
  const [what] = asked.find(([, since, isAsked]) => isAsked && launchSpec < since) ?? [];
  if (what === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support ${what}`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/** @throws A3sError `unsupported-option`, `invalid-argument` */
function checkSealing(
  { sealing, sealerKeys, identity }: ConfidentialRequest,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  if (sealing === 'none') {
    if (sealerKeys.length === 0) return;
    throw new A3sError(
      'invalid-argument',
      'Cannot create the box: it has keys of sealers, and seals nothing',
      { remedy: 'Add --sealing exact.' },
    );
  }
  if (launchSpec < WITH_SEALING) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: the boot set ${bootSet.slice(0, 12)} is from before confidential boxes could seal`,
      { remedy: 'Run npm run setup, which makes a boot set that can.' },
    );
  }
  if (sealing === 'upgradable' && identity === undefined) {
    throw new A3sError(
      'invalid-argument',
      'Cannot create the box: upgradable sealing binds an ID key, and the box has no ID block',
      { remedy: 'Sign one with a3s-box boot sign and add --id-block, or use --sealing exact.' },
    );
  }
}

/** @throws A3sError `unsupported-option` */
function checkBroker(
  { broker, secrets }: ConfidentialRequest,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  if (broker === undefined) return;
  const again = secrets.some(({ refresh }) => refresh !== undefined);
  const asked: readonly (readonly [string, number, boolean])[] = [
    ['tokens of a broker', WITH_TOKENS, broker.tokens === true],
    ['refresh of secrets', WITH_REFRESH, again],
    ['secrets from a broker', WITH_BROKER, true],
  ];
  const [what] = asked.find(([, since, isAsked]) => isAsked && launchSpec < since) ?? [];
  if (what === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support ${what}`,
    { remedy: 'Run npm run setup, which makes a boot set that can.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkEgress(
  { egress }: PlannedBox,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  if (launchSpec >= WITH_EGRESS || egress === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support network policies in launch specs`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkSecurity(
  { security, storage }: PlannedBox,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  const { groupAdd, oomScoreAdj, domainname, sysctls, devices, deviceRules } = security;
  const hasOptions =
    groupAdd.length > 0 ||
    oomScoreAdj !== 0 ||
    domainname !== '' ||
    Object.keys(sysctls).length > 0;
  const asked: readonly (readonly [string, number, boolean])[] = [
    ['privileges', WITH_PRIVILEGED, security.privileged],
    ['groups, OOM scores, domains and settings of the kernel', WITH_OPTIONS, hasOptions],
    ['devices', WITH_DEVICES, devices.length > 0],
    ['rules for devices', WITH_DEVICES, deviceRules.length > 0 && !security.privileged],
    ['seccomp profiles', WITH_DEVICES, confinementOf(security).seccomp === 'profile'],
    ['sizes of the writable layer', WITH_DEVICES, storage !== undefined],
  ];
  const [what] = asked.find(([, since, isAsked]) => isAsked && launchSpec < since) ?? [];
  if (what === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support ${what} of confidential boxes`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkNames(box: PlannedBox, { launchSpec }: ConfidentialBoot, bootSet: string): void {
  if (launchSpec >= WITH_NAMES || Object.keys(namesOf(box)).length === 0) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support DNS options and host names of confidential boxes`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkNetworks(
  box: PlannedBox,
  request: ConfidentialRequest,
  { launchSpec }: ConfidentialBoot,
  bootSet: string,
): void {
  const { hostNetworks = 0, hostNames } = hostNetworksOf(box, request);
  const asked: readonly (readonly [string, number, boolean])[] = [
    ['links of confidential boxes', WITH_HOST_NAMES, hostNames !== undefined],
    ['later networks of confidential boxes', WITH_HOST_NAMES, hostNetworks > firstNetworks(box)],
    ['user-defined networks of confidential boxes', WITH_HOST_NETWORKS, hostNetworks > 0],
  ];
  const [what] = asked.find(([, since, isAsked]) => isAsked && launchSpec < since) ?? [];
  if (what === undefined) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} does not support ${what}`,
    { remedy: 'Run npm run setup, which makes a boot set that knows them.' },
  );
}

/**
 * The agent would refuse the box at its start.
 *
 * @throws A3sError `unsupported-option`
 */
function checkDriver(
  { security: { devices } }: PlannedBox,
  { modules }: ConfidentialBoot,
  bootSet: string,
): void {
  if (modules.includes(DRIVER) || !devices.some(({ path }) => path === DRIVEN_DEVICE)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: the boot set ${bootSet.slice(0, 12)} has no driver for ${DRIVEN_DEVICE} of confidential boxes`,
    { remedy: 'Run npm run setup, which makes a boot set that has it.' },
  );
}

/**
 * @param allowed digests that are excepted from the list of what is known to be vulnerable
 * @throws A3sError `boot-set-missing`: also for a set that has nothing for confidential boxes;
 * `known-vulnerable`
 */
export async function confidentialBoot(
  rt: Pick<Services, 'boot'>,
  bootSet: string,
  allowed: readonly string[] = [],
): Promise<ConfidentialBoot> {
  const { confidential } = await rt.boot.open(bootSet);
  if (confidential !== undefined) {
    refuseVulnerable(`use the boot set ${bootSet.slice(0, 12)}`, confidential, allowed);
    return confidential;
  }
  throw new A3sError(
    'boot-set-missing',
    `Cannot boot: the boot set ${bootSet.slice(0, 12)} has nothing that confidential boxes boot from`,
    { remedy: 'Run npm run setup, and create the box again: it then boots from the current set.' },
  );
}

/**
 * The secure processor refuses a launch whose ID block is for another launch. This check finds that
 * out beforehand.
 */
async function checkIdentity(
  boot: ConfidentialBoot,
  { block, auth }: NonNullable<ConfidentialRequest['identity']>,
  given: Parameters<typeof launchRecordFor>[1],
): Promise<void> {
  let signed: string;
  let policy: bigint;
  try {
    parseIdAuth(auth);
    const parsed = parseIdBlock(block);
    signed = Buffer.from(parsed.launchDigest).toString('hex');
    policy = parsed.policy;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('invalid-argument', `Cannot use the ID block: ${why}`, { cause });
  }
  const { digest } = await launchRecordFor(boot, given);
  if (signed === digest && policy === boot.policy) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot use the ID block: it is for launch digest ${signed} and policy 0x${policy.toString(16)}, and this box has ${digest} and 0x${boot.policy.toString(16)}`,
    { remedy: 'Sign one for this boot set and number of CPUs: a3s-box boot sign.' },
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
