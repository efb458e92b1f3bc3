import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DERIVING, deriveSocket } from '../../testing/derive-socket.ts';
import { describeRootKeys } from '../../testing/root-keys-contract.ts';
import { createDerivedKey, type DerivedPlace, openDerivedKeys } from './derived-root-keys.ts';

let directory: string;
let agents: AsyncDisposable[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-derived-'));
  agents = [];
});
afterEach(async () => {
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** A place whose references are its own, in a guest whose agent listens. */
async function place(
  ...agent: Parameters<typeof deriveSocket> extends [string, ...infer Rest] ? Rest : never
): Promise<DerivedPlace> {
  const socket = join(directory, `${agents.length}.sock`);
  agents.push(await deriveSocket(socket, ...agent));
  const references = join(directory, `${agents.length}.references`);
  return { references, socket, policy: 'exact', allowSimulated: true };
}

describeRootKeys('that the processor derives', {
  create: async () => {
    const made = await place();
    await createDerivedKey(made);
    return { open: () => openDerivedKeys(made) };
  },
});

const refused = (message: string) =>
  expect.objectContaining({ code: 'root-key', message: expect.stringContaining(message) });

describe('a root key that the processor derives', () => {
  it('keeps no key in its file, and makes another one each time', async () => {
    const made = await place();
    await createDerivedKey(made);
    const keys = await openDerivedKeys(made);
    const text = readFileSync(made.references, 'utf8');
    const { epochs } = JSON.parse(text);
    expect(Object.keys(epochs[0])).toEqual(['epoch', 'reference']);
    rmSync(made.references);
    await createDerivedKey(made);
    expect(readFileSync(made.references, 'utf8')).not.toBe(text);
    const other = await openDerivedKeys(made);
    expect(await other.fingerprint(1)).not.toBe(await keys.fingerprint(1));
    await expect(createDerivedKey(made)).rejects.toMatchObject({ code: 'broker-conflict' });
  });

  it.each([
    [
      'another guest',
      { ...DERIVING, measurement: new Uint8Array(48).fill(4) },
      'sealed-measurement',
    ],
    ['another processor', { ...DERIVING, processorKey: new Uint8Array(32).fill(8) }, 'seal-broken'],
    ['hardware', { ...DERIVING, tee: 'sev-snp' as const }, 'sealed-tee'],
  ])('opens with no key of %s', async (_, guest, message) => {
    const made = await place();
    await createDerivedKey(made);
    const { socket } = await place(guest);
    await expect(openDerivedKeys({ ...made, socket })).rejects.toEqual(refused(message));
  });

  it('takes no key of a simulated processor unless the configuration says so', async () => {
    const made = await place();
    const strict = { ...made, allowSimulated: false };
    await expect(createDerivedKey(strict)).rejects.toEqual(refused('allowSimulated'));
    expect(() => readFileSync(made.references)).toThrow(/ENOENT/);
    await createDerivedKey(made);
    await expect(openDerivedKeys(strict)).rejects.toEqual(refused('allowSimulated'));
    const hardware = await place({ ...DERIVING, tee: 'sev-snp' });
    await createDerivedKey({ ...hardware, allowSimulated: false });
    await openDerivedKeys({ ...hardware, allowSimulated: false });
  });

  it('refuses a key of the other policy, and the reference of another epoch', async () => {
    const made = await place();
    await createDerivedKey(made);
    const upgradable = { ...made, policy: 'upgradable' } as const;
    await expect(openDerivedKeys(upgradable)).rejects.toEqual(refused('reference is exact'));
    const text = readFileSync(made.references, 'utf8');
    writeFileSync(made.references, text.replace('"epoch": 1', '"epoch": 2'));
    await expect(openDerivedKeys(made)).rejects.toEqual(refused('of broker/root-key/1'));
  });

  it.each([
    ['no JSON', () => 'x', 'it is damaged'],
    ['no epoch', () => '{"format":"a3s-box/broker-derived-root-key/v1","epochs":[]}', 'damaged'],
    ['an unknown member', (text: string) => text.replace('"epochs"', '"x":1,"epochs"'), 'damaged'],
    [
      'one epoch twice',
      (text: string) => text.replace(/(\{\s+"epoch"[^}]*\})/, '$1,$1'),
      'damaged',
    ],
    ['another header', (text: string) => text.replace('"QTNTLVNFQUw', '"QTNTLVNFQUx'), 'damaged'],
    ['another salt', (text: string) => text.replace(/[^A-Za-z](.{270})./, changed), 'seal-broken'],
    ['a longer reference', (text: string) => text.replace(/(=*)"\n/, 'AAAA"\n'), 'damaged'],
  ])('refuses a file of references with %s', async (_, change, message) => {
    const made = await place();
    await createDerivedKey(made);
    const text = readFileSync(made.references, 'utf8');
    const other = change(text);
    expect(other).not.toBe(text);
    writeFileSync(made.references, other);
    await expect(openDerivedKeys(made)).rejects.toEqual(refused(message));
  });

  it.each<[string, readonly [number, object], string]>([
    ['a key of zeros', [200, { key: Buffer.alloc(32).toString('base64') }], 'gives no key'],
    ['a short key', [200, { key: 'AAAA' }], 'gives no key'],
    ['no key', [200, { key: undefined }], 'gives no key'],
    ['something else', [200, { more: 1 }], 'gives no key'],
    ['a failure', [500, {}], 'status 500'],
    ['a refusal', [403, { error: { code: 'sealing-policy', message: 'm' } }], 'sealing-policy: m'],
    ['very much', [200, { key: 'A'.repeat(10_000) }], 'too much'],
  ])('refuses an agent that answers with %s', async (_, [status, more], message) => {
    const made = await place(DERIVING, ([, document]) => [status, { ...document, ...more }]);
    await expect(createDerivedKey(made)).rejects.toEqual(refused(message));
  });

  it('refuses an agent that gives the key of another reference, and one that is not there', async () => {
    const made = await place();
    await createDerivedKey(made);
    const other = await place(DERIVING, ([status, document]) => [
      status,
      { ...document, reference: 'AAAA' },
    ]);
    const diverted = openDerivedKeys({ ...made, socket: other.socket });
    await expect(diverted).rejects.toEqual(refused('another reference'));
    const nowhere = openDerivedKeys({ ...made, socket: join(directory, 'none.sock') });
    await expect(nowhere).rejects.toEqual(refused('does not answer'));
  });

  it('derives no key again that it has, and none of an epoch that it has retired', async () => {
    let asked = 0;
    const made = await place(DERIVING, (answer) => {
      asked += 1;
      return answer;
    });
    await createDerivedKey(made);
    const keys = await openDerivedKeys(made);
    await keys.add();
    expect(asked).toBe(3);
    await keys.refresh();
    await keys.retireBelow(2);
    expect(asked).toBe(3);
    await openDerivedKeys(made);
    expect(asked).toBe(4);
  });
});

/** The text with another character at the end of what was found. */
function changed(found: string): string {
  return found.slice(0, -1) + (found.endsWith('A') ? 'B' : 'A');
}
