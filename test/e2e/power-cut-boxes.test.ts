import { afterAll, beforeAll, expect, it } from 'vitest';
import { withCareless } from '../host/power/careless.ts';
import { playCuts } from '../host/power/play-cuts.ts';
import { seedOf } from '../host/power/random.ts';
import { type Installation, install } from './installation.ts';
import { scaled } from './time-scale.ts';

const CUTS = Number(process.env['POWER_CUTS'] ?? 300);
const PLAY = { vms: 'template-made', steps: 60, cuts: CUTS, startEvery: 5 } as const;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

const seed = seedOf();

it(`keeps what boxes wrote and what was made of them wherever the power is cut (A3S_SEED=${seed})`, {
  timeout: scaled(10_800_000),
}, async () => {
  const given = { installation, seed, remote: new Map<string, string>() };
  expect(await playCuts({ ...given, ...PLAY })).toEqual([]);
});

/** What the test detects, of a kind that only boxes show. */
const CARELESS = [
  { which: 'whose logs are not synced', careful: '.datasync()', careless: '.stat()' },
];

it.each(CARELESS)(
  `detects a server $which (A3S_SEED=${seed})`,
  {
    timeout: scaled(1_800_000),
  },
  async (syncs) => {
    await withCareless(installation, syncs, async (other) => {
      const given = { installation: other, seed, remote: new Map<string, string>() };
      const play = { vms: 'template-found', steps: 17, cuts: 30 } as const;
      expect((await playCuts({ ...given, ...play })).length).toBeGreaterThan(0);
    });
  },
);
