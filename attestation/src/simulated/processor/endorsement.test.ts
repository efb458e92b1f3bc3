import { describe, expect, it } from 'vitest';
import { LAUNCH, NOW, REPORT_DATA, testProcessor } from '../testing/guest.ts';

const HOUR = 3_600_000;

describe('the certificate that comes with a report', () => {
  it('hands the certificate of a report out again for half a day, and then issues another', () => {
    let now = NOW.getTime();
    const guest = testProcessor({ now: () => new Date(now) }).launch(LAUNCH);
    const vek = () => Buffer.from(guest.report({ reportData: REPORT_DATA }).evidence.vek ?? []);
    const first = vek();
    now += 11 * HOUR;
    expect(vek()).toEqual(first);
    now += 2 * HOUR;
    const second = vek();
    expect(second).not.toEqual(first);
    // A clock that was put back must not make one that is not valid yet.
    now -= 13 * HOUR;
    expect(vek()).not.toEqual(second);
  });

  it('keeps its certificate where a caller overwrites the one that it got', () => {
    const guest = testProcessor().launch(LAUNCH);
    const { evidence } = guest.report({ reportData: REPORT_DATA });
    evidence.vek?.fill(0);
    expect(guest.report({ reportData: REPORT_DATA }).evidence.vek?.some(Boolean)).toBe(true);
  });

  it('hands out the certificate of the key that was asked for', () => {
    const guest = testProcessor().launch(LAUNCH);
    const [vcek, vlek] = (['VCEK', 'VLEK'] as const).map(
      (signingKey) => guest.report({ reportData: REPORT_DATA, signingKey }).evidence.vek,
    );
    expect(vcek).not.toEqual(vlek);
  });
});
