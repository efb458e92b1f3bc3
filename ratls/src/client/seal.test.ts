import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { agentServer } from '../testing/agent-server.ts';
import { guestSource, specText, trusting } from '../testing/simulated-source.ts';
import { connect } from './connect.ts';

const owner = generateKeyPairSync('ed25519');
const spki = owner.publicKey.export({ format: 'der', type: 'spki' });
const sealers = [createHash('sha256').update(spki).digest('hex')];
const exact = specText('test', [], { sealing: 'exact', sealers });
const value = Buffer.from('a database key');
const terms = { purpose: 'db/key', policy: 'exact' } as const;

async function boxOf(spec: string) {
  const box = await agentServer({ source: guestSource({ spec }) });
  return { box, session: await connect(trusting(box.port)) };
}

describe('sealing in a session', () => {
  it('seals a value and opens the envelope in another session', async () => {
    await using box = await agentServer({ source: guestSource({ spec: exact }) });
    using session = await connect(trusting(box.port));
    const envelope = await session.seal(value, terms, owner.privateKey);
    expect(Buffer.from(envelope).toString()).toBe('sealed:a database key');
    using again = await connect(trusting(box.port));
    expect(Buffer.from(await again.unseal(envelope, 'db/key', owner.privateKey))).toEqual(value);
    const other = again.unseal(Buffer.from('else'), 'db/key', owner.privateKey);
    await expect(other).rejects.toMatchObject({
      ...{ code: 'seal-broken', found: 'seal-broken', bySpec: false },
    });
  });

  it('signs the minimum SVN of an upgradable envelope', async () => {
    const spec = specText('test', [], { sealing: 'upgradable', sealers });
    const { box, session } = await boxOf(spec);
    await using _ = box;
    const asked = { purpose: 'p', policy: 'upgradable', minimumSvn: 3 } as const;
    expect(await session.seal(value, asked, owner.privateKey)).toHaveLength(7 + value.length);
    session.close();
  });

  it('sends nothing that the verified launch spec does not permit', async () => {
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const { privateKey } = owner;
    const cases = [
      [specText(), terms, privateKey, 'sealing-policy'],
      [specText('test', [], { sealing: 'exact' }), terms, privateKey, 'sealer-not-permitted'],
      [exact, terms, stranger, 'sealer-not-permitted'],
      [exact, { ...terms, policy: 'upgradable' }, privateKey, 'sealing-policy'],
    ] as const;
    for (const [spec, asked, key, code] of cases) {
      const { box, session } = await boxOf(spec);
      await using _ = box;
      await expect(session.seal(value, asked, key)).rejects.toMatchObject({ code, bySpec: true });
      if (asked === terms) {
        await expect(session.unseal(value, 'p', key)).rejects.toMatchObject({ code, bySpec: true });
      }
      expect(box.asked).toEqual(['POST /attest']);
      session.close();
    }
  });

  it('refuses a value that is too long, and an answer that is not an envelope', async () => {
    await using box = await agentServer({
      source: guestSource({ spec: exact }),
      sealer: { seal: async () => new Uint8Array(), unseal: async () => Buffer.alloc(65_537) },
    });
    using session = await connect(trusting(box.port));
    const long = session.seal(Buffer.alloc(65_537), terms, owner.privateKey);
    await expect(long).rejects.toMatchObject({ code: 'value-too-large' });
    const empty = session.seal(value, terms, owner.privateKey);
    await expect(empty).rejects.toMatchObject({ code: 'protocol' });
    const opened = session.unseal(value, 'p', owner.privateKey);
    await expect(opened).rejects.toMatchObject({ code: 'protocol' });
  });
});
