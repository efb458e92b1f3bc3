/**
 * A secure processor without hardware: everything is as on an SEV-SNP host except the protection.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { decodePlatformInfo } from '../../report/platform-info.ts';
import type { Tcb } from '../../report/tcb.ts';
import { currentCrl, issueCrl } from '../authorities/make-crl.ts';
import { openState } from '../state.ts';
import { rootsOf, type SimulatedRoots } from '../verifier/roots.ts';
import { applyEffects, type Firmware, type ReportVersion } from './firmware.ts';
import { SimulatedGuest } from './guest.ts';
import { openGuest } from './guest-state.ts';
import { launchGuest, type Platform, type SimulatedLaunch } from './launch-guest.ts';
import { endorse } from './make-report.ts';
import { effectsOf, type Misbehaviour } from './misbehaviour.ts';
import { SIMULATED_MODELS, type SimulatedModelName } from './models.ts';

/** What is simulated. */
export interface SimulatedProcessorOptions {
  /** The processor; `Milan` where it is not given. */
  readonly model?: SimulatedModelName;
  /** Version of its reports; 5 where it is not given. */
  readonly reportVersion?: ReportVersion;
  /** PLATFORM_INFO; ECC and a complete alias check where it is not given. */
  readonly platformInfo?: bigint;
  /**
   * The misbehaviour of the processor, its host or its endorsements; none where it is not given.
   */
  readonly misbehave?: readonly Misbehaviour[];
  /** The clock of the issuer of certificates; the system's where it is not given. */
  readonly now?: () => Date;
}

const ALL = 0xffff_ffff_ffff_ffffn;

/** Version 2 knows nothing of the alias check and what came after it. */
const KNOWN_PLATFORM_INFO: Readonly<Record<ReportVersion, bigint>> = {
  2: 0x1fn,
  3: ALL,
  4: ALL,
  5: ALL,
};

/** A simulated AMD secure processor with its chip, its firmware and its certificate authorities. */
export class SimulatedSecureProcessor {
  readonly #firmware: Firmware;

  /**
   * @param state as {@link openSimulatedProcessor} keeps it.
   * @throws {AttestationError} `simulated-state` for anything else.
   * @throws {RangeError} for a model or report version that does not exist, or not together, and
   *   for PLATFORM_INFO of more than 64 bits.
   * @throws {TypeError} for a misbehaviour that does not exist.
   */
  constructor(state: unknown, options: SimulatedProcessorOptions = {}) {
    const { model = 'Milan', reportVersion = 5, misbehave = [], now } = options;
    if (!Object.hasOwn(SIMULATED_MODELS, model)) throw new RangeError(`no model ${model}`);
    if (![2, 3, 4, 5].includes(reportVersion) || (model === 'Turin' && reportVersion === 2)) {
      throw new RangeError(`${model} has no reports of version ${reportVersion}`);
    }
    const { platformInfo = SIMULATED_MODELS[model].platformInfo } = options;
    if (BigInt.asUintN(64, platformInfo) !== platformInfo) {
      throw new RangeError('PLATFORM_INFO has 64 bits');
    }
    const clock = now ?? (() => new Date());
    this.#firmware = {
      state: openState(state),
      model: SIMULATED_MODELS[model],
      reportVersion,
      platformInfo: decodePlatformInfo(platformInfo & KNOWN_PLATFORM_INFO[reportVersion]),
      effects: effectsOf(misbehave),
      now: () => clock().getTime(),
    };
  }

  /**
   * Launches a guest: measures it as the firmware does, page by page.
   *
   * @throws {AttestationError} `simulated-request` where the firmware would refuse the launch: a
   *   policy that the platform does not meet, HOST_DATA that has not 32 bytes, an ID block that is
   *   not signed or not of this guest. `ovmf-malformed`, `ovmf-no-kernel-hashes` and
   *   `measure-input` for what cannot be measured.
   */
  launch(launch: SimulatedLaunch): SimulatedGuest {
    return new SimulatedGuest(this.#firmware, {
      ...launchGuest(launch, this.#platform()),
      reportId: randomBytes(32).toString('hex'),
      vmrk: new Uint8Array(randomBytes(32)),
    });
  }

  /**
   * Resumes a guest that this processor launched, perhaps in another process: its reports and keys
   * are those that it had.
   *
   * @param state what {@link SimulatedGuest.keep} gave.
   * @throws {AttestationError} `simulated-state` for anything else, and for a guest of another
   *   chip; `simulated-request` for a policy that this platform does not meet.
   */
  resume(state: unknown): SimulatedGuest {
    const guest = openGuest(state, this.#firmware.state.chip.id, this.#platform());
    return new SimulatedGuest(this.#firmware, guest);
  }

  #platform(): Platform {
    const { model, platformInfo } = this.#firmware;
    return { firmware: model.firmware, platformInfo };
  }

  /** The chip's endorsement key certificate for a TCB, the current one if none is given, in DER. */
  vcek(tcb?: Tcb): Uint8Array {
    return endorse(this.#firmware, 'VCEK', tcb ?? this.#firmware.model.tcb);
  }

  /** As {@link vcek}, of the installation's VLEK. */
  vlek(tcb?: Tcb): Uint8Array {
    return endorse(this.#firmware, 'VLEK', tcb ?? this.#firmware.model.tcb);
  }

  /** The root's revocation list as of now, in DER: good for 30 days. */
  crl(): Uint8Array {
    const { effects, now, state } = this.#firmware;
    const request = applyEffects(effects, currentCrl(now()), ({ crl }, value) => crl?.(value));
    return issueCrl(request, state.ark);
  }

  /**
   * The roots that a verifier of this processor's evidence has to trust. They contain no private
   * key.
   */
  roots(): SimulatedRoots {
    return rootsOf(this.#firmware.state);
  }
}
