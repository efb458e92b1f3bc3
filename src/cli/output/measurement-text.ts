/**
 * `measure` for people.
 *
 * @module
 */
import type { JsonObject } from '../client/json.ts';
import { forTerminals } from './json-text.ts';

/** What a box will be, and the policy that accepts it. */
export interface Measurement {
  readonly tee: 'snp' | 'simulated';
  readonly simulated: boolean;
  /** Launch digest: MEASUREMENT of the box's reports. */
  readonly measurement: string;
  readonly hostData: string;
  /** The text whose SHA-256 is HOST_DATA. */
  readonly spec: string;
  readonly launch: JsonObject;
  /** As YAML. */
  readonly policy: string;
}

/** The spec is shown with blanks, which its own text has none of. */
export function describeMeasurement(box: Measurement): string {
  const spec = JSON.stringify(JSON.parse(box.spec), null, 2);
  return [
    `TEE            ${box.simulated ? 'SIMULATED' : box.tee}`,
    `launch digest  ${box.measurement}`,
    `HOST_DATA      ${box.hostData}`,
    '',
    'Launch spec (--spec-out writes the very bytes):',
    forTerminals(spec),
    '',
    'Attestation policy (--policy-out writes it):',
    box.policy,
  ].join('\n');
}
