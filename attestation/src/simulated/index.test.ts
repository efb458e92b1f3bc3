import { describe, expect, it } from 'vitest';
import * as simulated from './index.ts';
import { LAUNCH, NOW, REPORT_DATA, testState } from './testing/guest.ts';

describe('the entry for simulation', () => {
  it('exports exactly the documented names from the simulated entry', () => {
    expect(Object.keys(simulated).sort()).toEqual([
      'GUEST_FIELDS',
      'MISBEHAVIOURS',
      'ROOT_KEYS',
      'SIMULATED_MODELS',
      'SimulatedRoots',
      'SimulatedSecureProcessor',
      'appraiseSimulated',
      'createSimulatedState',
      'openSimulatedProcessor',
      'parseSimulatedRoots',
      'simulatedEarSubmod',
      'simulatedRootsOf',
      'verifySimulated',
    ]);
  });

  it('launches a simulated guest and verifies it elsewhere with the exported functions', () => {
    const processor = new simulated.SimulatedSecureProcessor(testState(), { now: () => NOW });
    const guest = processor.launch(LAUNCH);
    const { evidence } = guest.report({ reportData: REPORT_DATA });

    const roots = simulated.parseSimulatedRoots(processor.roots().pem);
    const report = simulated.verifySimulated(evidence, roots, { now: NOW, crl: processor.crl() });
    expect(report.claims.measurement).toBe(guest.measurement);
  });
});
