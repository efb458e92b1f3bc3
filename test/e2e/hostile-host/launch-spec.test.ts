// A launch spec has one text. Whatever else the host gives the agent is refused, also where
// HOST_DATA is the digest of just that. A spec of other words than those that were admitted:
// confidential-agent.test.ts.
import { launchSpecText } from '@a3s-box/policies';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HostedLayer, HostileHost, specOf } from './host.ts';

let host: HostileHost;
let layer: HostedLayer;

beforeAll(async () => {
  host = await HostileHost.open();
  layer = await host.layer('layer');
});
afterAll(() => host?.leave());

const ADMITTED = 'echo admitted';

interface Change {
  readonly of: (text: string) => string;
  readonly why: RegExp;
}

/** What a relying party would read out of each is the spec with ADMITTED. */
const CHANGES: Readonly<Record<string, Change>> = {
  'one space more': {
    of: (text) => text.replace('{"confinement"', '{ "confinement"'),
    why: /not in canonical form/,
  },
  'one key more': {
    of: (text) => text.replace('"sealing":"none"', '"sealing":"none","sealing2":"none"'),
    why: /sealing2/,
  },
  'a field twice, one to admit and one to use': {
    of: (text) => text.replace('"args":', '"args":["sh","-c","echo another"],"args":'),
    why: /args/,
  },
};

async function refusal(
  text: string,
): Promise<{ readonly error: unknown; readonly reason: string }> {
  const { vm, guest } = await host.launch({ disks: [layer.path], admitted: text });
  const error = await guest.putLaunchSpec(text).catch((refused: unknown) => refused);
  const { reason } = await vm.exited;
  return { error, reason };
}

it('refuses a launch spec with an extra space, an extra key or a repeated field, and ends', async () => {
  const text = launchSpecText(specOf([layer], ADMITTED));
  const all = await Promise.all(
    Object.entries(CHANGES).map(async ([name, { of, why }]) => {
      expect(of(text), name).not.toBe(text);
      return { name, why, refused: await refusal(of(text)) };
    }),
  );
  for (const { name, why, refused } of all) {
    expect(refused, name).toMatchObject({
      error: {
        // As the server tells what the agent calls launch-spec-malformed.
        code: 'launch-spec-mismatch',
        message: expect.stringMatching(/^launch spec: /),
      },
      reason: 'poweroff',
    });
    expect(String(refused.error), name).toMatch(why);
  }
});
