/**
 * The services that know of running boxes.
 *
 * @module
 */
import type { Outputs } from '../output/outputs.ts';
import type { Restarts } from '../restart/restarts.ts';
import type { Services } from '../services/services.ts';
import type { Execs } from './execs.ts';
import type { RunningBoxes } from './running-box.ts';

export interface RunServices extends Services {
  readonly running: RunningBoxes;
  readonly outputs: Outputs;
  readonly execs: Execs;
  readonly restarts: Restarts;
}
