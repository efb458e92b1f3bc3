/**
 * The source of a start from a template: the memory of a guest that has booted.
 *
 * @module
 */
import type { VmShape } from '../../../engine/vm/template.ts';
import { A3sError, ERRORS } from '../../../errors.ts';
import type { TakenTemplate } from '../../../templates/templates.ts';
import type { Box, BoxDefinition } from '../../record/box.ts';
import type { RunServices } from '../../run/run-services.ts';
import { publish } from '../../services/publish.ts';
import { askedCpus, vmCpus } from '../../spec/resources.ts';
import type { Found } from '../describe-vm.ts';
import { isInterrupted } from '../enter.ts';
import { acquireVm, type LaunchHost, removeNewLayer } from '../launch-vm.ts';
import type { Acquired, StartSource } from '../source.ts';

/** What a start from a template needs of the server. */
export type TemplateStartHost = LaunchHost &
  Pick<RunServices, 'events' | 'log' | 'restarts' | 'startTimeoutMs' | 'templates'>;

export class TemplateSource implements StartSource {
  readonly #rt: TemplateStartHost;
  readonly #box: Box;
  readonly #found: Found;
  readonly #shape: VmShape;
  #taken: TakenTemplate | undefined;
  /** Why the template may be the cause of a failure. The box's next source shows whether it is. */
  #suspicion: string | undefined;

  constructor(rt: TemplateStartHost, box: Box, found: Found) {
    this.#rt = rt;
    this.#box = box;
    this.#found = found;
    this.#shape = shapeOf(box.definition, found);
  }

  async acquire(openOutput: () => Promise<number>): Promise<Acquired | undefined> {
    const taken = await this.#rt.templates.take(this.#shape);
    if (taken === undefined) return undefined;
    this.#taken = taken;
    return await acquireVm(this.#rt, this.#box, this.#found, taken, openOutput);
  }

  /**
   * The box boots where the template may be the cause. The column `machineFault` of
   * `src/error-rows/` decides that.
   */
  async onFailure(error: unknown): Promise<'next' | 'fail'> {
    const taken = this.#taken;
    if (taken === undefined) return 'fail';
    taken.release();
    if (!(error instanceof A3sError) || isInterrupted(this.#rt)) return 'fail';
    const { machineFault } = ERRORS[error.code];
    if (machineFault === undefined) return 'fail';
    const { id } = this.#box.definition;
    const { key } = taken.template;
    this.#rt.log.error('a box could not start from its template, so it boots', error, {
      box: id,
      template: key,
    });
    publish(this.#rt, this.#box, 'template-failed', { template: key, reason: error.message });
    if (machineFault === 'certain') await this.#rt.templates.drop(key, error.message);
    if (machineFault === 'possible') this.#suspicion = error.message;
    await removeNewLayer(this.#rt, this.#box, this.#found);
    return 'next';
  }

  /** The box was launched without the template, so the template was the cause. */
  async onNextLaunched(): Promise<void> {
    if (this.#taken === undefined || this.#suspicion === undefined) return;
    await this.#rt.templates.drop(this.#taken.template.key, this.#suspicion);
  }

  onNextStarted(): void {
    this.#rt.templates.booted(this.#shape);
  }
}

/** The shape of the template that the box needs. */
export function shapeOf(definition: BoxDefinition, { boot }: Found): VmShape {
  return { cpus: vmCpus(askedCpus(definition)), boot };
}
