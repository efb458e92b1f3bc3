/**
 * The source of a confidential box's start: a measured launch, then exactly the launch spec whose
 * digest is HOST_DATA.
 *
 * @module
 */
import { measureRecord } from '@a3s-box/attestation/measure';
import type { Disk } from '../../../engine/vm/devices.ts';
import type { Vm } from '../../../engine/vm/vm.ts';
import { A3sError } from '../../../errors.ts';
import type { Guest } from '../../../guest/guest.ts';
import type { LaunchSpecTaken } from '../../../guest/protocol.ts';
import type { Image } from '../../../images/image.ts';
import { hostCertificates } from '../../confidential/host-certificates.ts';
import { relayWhileTaking } from '../../confidential/relay-broker.ts';
import { describeConfidential, findConfidential, renewChanges } from '../../confidential/vm.ts';
import type { Box } from '../../record/box.ts';
import {
  type ConfidentialDefinition,
  type ConfidentialState,
  hostDataOfBox,
} from '../../record/confidential.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../../record/directories.ts';
import { hostSeesOutput } from '../../record/host-may.ts';
import { teeAttributes } from '../../record/tee-names.ts';
import type { RunningBox } from '../../run/running-box.ts';
import { publishGuestRefusal } from '../../services/publish.ts';
import type { Services } from '../../services/services.ts';
import type { LaunchHost } from '../launch-vm.ts';
import { launchOnPorts } from '../ports.ts';
import type { Acquired, StartSource } from '../source.ts';

/** What a measured launch needs of the server. */
export type ConfidentialHost = LaunchHost &
  Pick<Services, 'boot' | 'events' | 'images' | 'log' | 'store' | 'volumes'>;

/** Every start is a new launch and a new instance, and never from saved memory. */
export class ConfidentialSource implements StartSource {
  readonly #rt: ConfidentialHost;
  readonly #box: Box;
  readonly #confidential: ConfidentialDefinition;
  readonly #image: Image;
  readonly #volumes: readonly Disk[];

  /** @param volumes the disks of sealed volumes */
  constructor(
    rt: ConfidentialHost,
    box: Box,
    confidential: ConfidentialDefinition,
    image: Image,
    volumes: readonly Disk[],
  ) {
    this.#rt = rt;
    this.#box = box;
    this.#confidential = confidential;
    this.#image = image;
    this.#volumes = volumes;
  }

  /**
   * @throws A3sError `verity-mismatch` where this host finds a difference from what the box's
   * relying parties were told. Where the guest finds one, `prepareGuest` throws that, or
   * `launch-spec-mismatch`.
   */
  async acquire(openOutput: () => Promise<number>): Promise<Acquired> {
    const rt = this.#rt;
    const box = this.#box;
    const confidential = this.#confidential;
    const { vm, launch } = await launchMeasured(rt, box, confidential, this.#image, this.#volumes);
    return {
      vm,
      prepareGuest: async (running) => {
        // A stop or a kill that ended this start found no microVM yet.
        const { stopRequested } = rt.store.expect(running.id).state;
        if (!running.released && stopRequested) await vm.kill();
        const guest = await running.guest();
        await prepareGuest(rt, running, guest, confidential, launch);
        // Nothing is kept where the host may not see the output.
        const offset = hostSeesOutput(box) ? await openOutput() : 0;
        return { guest, offset, durable: Promise.resolve() };
      },
    };
  }

  async onFailure(): Promise<'fail'> {
    return 'fail';
  }
}

async function launchMeasured(
  rt: ConfidentialHost,
  box: Box,
  confidential: ConfidentialDefinition,
  image: Image,
  volumes: readonly Disk[],
): Promise<{ readonly vm: Vm; readonly launch: ConfidentialState }> {
  const { definition } = box;
  const { id, identity, bootSet } = definition;
  const parts = await findConfidential(rt, { ...definition, confidential }, image);
  await makeRuntimeDirectory(runtimeDirectory(rt, id), identity);
  if (confidential.changes === 'encrypted-disk') await renewChanges(rt, definition);
  const planned: ConfidentialState = {
    hostData: hostDataOfBox(confidential),
    policy: `0x${parts.boot.policy.toString(16)}`,
    bootSet,
    secrets: { state: isAwaiting(definition, confidential) ? 'waiting' : 'none', delivered: [] },
  };
  const { vm } = await launchOnPorts(rt, box, {
    state: { machine: { id, identity, start: 'cold' }, launch: planned },
    disks: Promise.resolve(),
    // The guest knows its own address, unless its launch spec lets the host choose networks.
    describe: (_ports, _disks, joined) => ({
      vm: describeConfidential(rt, box, confidential, parts, volumes, joined),
    }),
  });
  const record = vm.launched;
  if (record === undefined) return { vm, launch: planned };
  const launch = { ...planned, record, measurement: measureRecord(record).digest };
  rt.store.amend(id, { launch });
  rt.log.info('launched a confidential box', {
    box: id,
    ...teeAttributes(box),
    measurement: launch.measurement,
  });
  return { vm, launch };
}

/** Whether the workload waits, for secrets or for its broker to count its sealed volumes. */
function isAwaiting(
  { volumeMounts }: Box['definition'],
  { secrets }: ConfidentialDefinition,
): boolean {
  return secrets.length > 0 || volumeMounts.some(({ sealed }) => sealed?.counter !== undefined);
}

/**
 * The guest's answer is not trusted: relying parties see in its evidence that it took these bytes.
 */
async function prepareGuest(
  rt: Pick<Services, 'events' | 'home' | 'log' | 'store' | 'volumes'>,
  running: RunningBox,
  guest: Guest,
  { tee, launchSpec, specDigest, secretsDeadline }: ConfidentialDefinition,
  launch: ConfidentialState,
): Promise<void> {
  const found = guest.hello?.tee;
  if (found !== tee) {
    throw new A3sError(
      'launch-spec-mismatch',
      `Cannot start the box: its guest is ${found ?? 'no confidential one'}, and ${tee} was launched`,
    );
  }
  // A guest that refuses the launch spec ends. Its refusal counts, and not that its microVM is
  // gone.
  const { volumeMounts } = rt.store.expect(running.id).definition;
  const fills = volumeMounts.some(({ sealed }) => sealed);
  // The guest gives up by itself at that deadline, and says why.
  const keyed = volumeMounts.some(({ sealed }) => sealed?.key !== undefined);
  const keysMs = keyed ? secretsDeadline * 1000 : 0;
  const taking = () => guest.putLaunchSpec(launchSpec, { fills, keysMs });
  const taken = await relayWhileTaking(rt, running, taking).catch((error: unknown) => {
    publishGuestRefusal(rt, rt.store.expect(running.id), error);
    throw error;
  });
  if (taken.specDigest !== specDigest) {
    throw new A3sError(
      'launch-spec-mismatch',
      `Cannot start the box: its guest took the launch spec ${taken.specDigest}, and ${specDigest} was sent`,
    );
  }
  const volumes = recordVolumes(rt, running.id, taken);
  rt.store.amend(running.id, { launch: { ...launch, instance: taken.instance, ...volumes } });
  const table = tee === 'snp' ? await hostCertificates(rt) : undefined;
  if (table !== undefined) await guest.putCertificates(table, running.signal);
}

/**
 * Records the ids that the guest reports of the sealed volumes which the box mounts.
 *
 * @throws A3sError `volume-refused` where one is another than boxes have used
 */
function recordVolumes(
  rt: Pick<Services, 'log' | 'store' | 'volumes'>,
  box: string,
  { volumes: reported = [] }: Pick<LaunchSpecTaken, 'volumes'>,
): Pick<ConfidentialState, 'volumes'> {
  const { volumeMounts } = rt.store.expect(box).definition;
  const mounted = new Set(volumeMounts.filter(({ sealed }) => sealed).map(({ name }) => name));
  const volumes = reported.filter(({ name }) => mounted.has(name));
  for (const { name, id, created } of volumes) {
    if (created) rt.log.info('a guest has made a sealed volume', { box, volume: name, id });
    rt.volumes.recordSealed(name, id);
  }
  return volumes.length === 0 ? {} : { volumes };
}
