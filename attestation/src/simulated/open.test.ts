import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSimulatedProcessor } from './open.ts';
import { LAUNCH, REPORT_DATA, testProcessor } from './testing/guest.ts';
import { verifySimulated } from './verifier/verify-simulated.ts';

let directory: string;
let stateFile: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'a3s-simulated-'));
  stateFile = join(directory, 'sp', 'state.json');
});

afterAll(() => rm(directory, { recursive: true }));

describe('a new processor', () => {
  it('creates a simulated processor once, and opens the same one again', {
    timeout: 120_000,
  }, async () => {
    const made = await openSimulatedProcessor({ stateFile });
    const opened = await openSimulatedProcessor({ stateFile }, { model: 'Turin' });
    expect(opened.roots().pem).toBe(made.roots().pem);
    const { evidence } = opened.launch(LAUNCH).report({ reportData: REPORT_DATA });
    const options = { now: new Date(), crl: opened.crl() };
    expect(verifySimulated(evidence, made.roots(), options).claims.product).toBe('Turin');

    const another = testProcessor().roots();
    expect(another.pem).not.toBe(made.roots().pem);
    expect(() => verifySimulated(evidence, another, options)).toThrow(
      expect.objectContaining({ code: 'ca-pinned' }),
    );
  });
});
