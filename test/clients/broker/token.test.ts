/**
 * A root key on a token: SoftHSM's, by PKCS#11.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseBrokerConfig } from '../../../src/broker/config/broker-yaml.ts';
import { initBroker } from '../../../src/broker/init.ts';
import {
  CKA,
  CKK_AES,
  CKO_SECRET_KEY,
  Cryptoki,
  type Value,
} from '../../../src/broker/keys/pkcs11/cryptoki.ts';
import {
  createTokenKey,
  openTokenKeys,
  type TokenPlace,
} from '../../../src/broker/keys/pkcs11/token-root-keys.ts';
import { serveBroker } from '../../../src/broker/serve.ts';
import { describeRootKeys } from '../../../src/broker/testing/root-keys-contract.ts';
import {
  adminCall,
  launchGuest,
  person,
  policyDocument,
  SERVER,
  testYaml,
} from '../../../src/broker/testing/test-broker.ts';
import { TestGuest } from '../../../src/broker/testing/test-guest.ts';

const MODULE = process.env['A3S_SOFTHSM'] ?? '/usr/lib/softhsm/libsofthsm2.so';
const TOKEN = 'a3s test';
const PIN = 'one-two-3';
const before = process.env['SOFTHSM2_CONF'];

let directory: string;
let place: TokenPlace;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-token-'));
  mkdirSync(join(directory, 'tokens'));
  const config = join(directory, 'softhsm2.conf');
  writeFileSync(config, `directories.tokendir = ${directory}/tokens\nlog.level = ERROR\n`);
  // The library reads it when it is loaded.
  process.env['SOFTHSM2_CONF'] = config;
  const pins = ['--so-pin', 'officer', '--pin', PIN];
  const utility = process.env['A3S_SOFTHSM_UTIL'] ?? 'softhsm2-util';
  const args = ['--init-token', '--free', '--label', TOKEN, ...pins, '--module', MODULE];
  const { status, stderr } = spawnSync(utility, args, { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const pinFile = join(directory, 'pin');
  writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 });
  place = { module: MODULE, token: TOKEN, label: 'broker', pinFile };
});
afterAll(() => {
  if (before === undefined) delete process.env['SOFTHSM2_CONF'];
  else process.env['SOFTHSM2_CONF'] = before;
  rmSync(directory, { recursive: true });
});

let count = 0;
const another = (): TokenPlace => {
  count += 1;
  return { ...place, label: `key ${count}` };
};

describeRootKeys('on a token', {
  create: async () => {
    const key = another();
    await createTokenKey(key);
    return { open: () => openTokenKeys(key) };
  },
});

const refusal = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

/** A session of the token, beside those of the code that is tested. */
async function openSession(): Promise<{ readonly library: Cryptoki; readonly session: bigint }> {
  const library = await Cryptoki.load(MODULE);
  const [slot = 0n] = await library.slotsOf(TOKEN);
  const session = await library.openSession(slot);
  await library.login(session, Buffer.from(PIN));
  return { library, session };
}

/** All sessions of this process. */
async function closeSessions(): Promise<void> {
  const { library, session } = await openSession();
  for (let each = session; each > 0n; each -= 1n) {
    await library.closeSession(each).catch(() => undefined);
  }
}

/** Makes a first epoch as another program does. */
async function generate({ label }: TokenPlace, ...more: [number, Value][]): Promise<void> {
  const { library, session } = await openSession();
  const template: [number, Value][] = [
    [CKA.CLASS, CKO_SECRET_KEY],
    [CKA.KEY_TYPE, CKK_AES],
    [CKA.LABEL, Buffer.from(label)],
    [CKA.ID, Buffer.from([0, 0, 0, 1])],
    [CKA.TOKEN, true],
    [CKA.VALUE_LEN, 32n],
  ];
  await library.generateKey(session, new Map([...template, ...more]));
  await library.closeSession(session);
}

describe('a root key on a token', () => {
  it('stays there: the token does not give it away', async () => {
    const key = another();
    await createTokenKey(key);
    const { library, session } = await openSession();
    const label = new Map<number, Value>([[CKA.LABEL, Buffer.from(key.label)]]);
    const [found = 0n] = await library.find(session, label);
    const VALUE = 0x11;
    await expect(library.attribute(session, found, VALUE)).rejects.toThrow(
      'CKR_ATTRIBUTE_SENSITIVE',
    );
    await library.closeSession(session);
  });

  it('makes a key once, and refuses one that another program can read', async () => {
    const key = another();
    await createTokenKey(key);
    await expect(createTokenKey(key)).rejects.toEqual(refusal('broker-conflict', 'it exists'));
    const readable = another();
    await generate(readable, [CKA.EXTRACTABLE, true]);
    await expect(openTokenKeys(readable)).rejects.toEqual(refusal('root-key', 'gives it away'));
  });

  it('names what keeps it from the token', async () => {
    const key = another();
    await expect(openTokenKeys(key)).rejects.toEqual(refusal('root-key', 'has no key'));
    const nobody = openTokenKeys({ ...key, token: 'nobody' });
    await expect(nobody).rejects.toEqual(refusal('root-key', 'no token nobody'));
    const noModule = openTokenKeys({ ...key, module: join(directory, 'none.so') });
    await expect(noModule).rejects.toEqual(refusal('broker-config', 'none.so'));
    const noToken = openTokenKeys({ ...key, module: 'libc.so.6' });
    await expect(noToken).rejects.toEqual(refusal('broker-config', 'C_Initialize'));
    const pinFile = join(directory, 'open');
    writeFileSync(pinFile, PIN, { mode: 0o644 });
    chmodSync(pinFile, 0o644);
    const open = openTokenKeys({ ...key, pinFile });
    await expect(open).rejects.toEqual(refusal('root-key', 'only its owner'));
  });

  it('goes on when the token has forgotten its session', async () => {
    const key = another();
    await createTokenKey(key);
    const keys = await openTokenKeys(key);
    const wrapped = await keys.wrap(1, Buffer.alloc(32, 7), Buffer.from('x'));
    await closeSessions();
    expect(await keys.unwrap(1, wrapped, Buffer.from('x'))).toEqual(Buffer.alloc(32, 7));
  });

  it('wraps nothing under another key that has taken the place of its own', async () => {
    const key = another();
    await createTokenKey(key);
    const keys = await openTokenKeys(key);
    const { library, session } = await openSession();
    const label = new Map<number, Value>([[CKA.LABEL, Buffer.from(key.label)]]);
    for (const found of await library.find(session, label)) await library.destroy(session, found);
    await generate(key, [CKA.SENSITIVE, true], [CKA.EXTRACTABLE, false], [CKA.ENCRYPT, true]);
    await closeSessions();
    const wrap = () => keys.wrap(1, Buffer.alloc(32, 7), Buffer.from('x'));
    await expect(wrap()).rejects.toEqual(refusal('root-key', 'has another epoch 1'));
    await expect(wrap()).rejects.toEqual(refusal('root-key', 'has another epoch 1'));
  });

  it('tries a wrong PIN once, and goes on when its file has the right one', async () => {
    const key = { ...another(), pinFile: join(directory, 'changing') };
    const write = (pin: string) => writeFileSync(key.pinFile, pin, { mode: 0o600 });
    write(PIN);
    await createTokenKey(key);
    const keys = await openTokenKeys(key);
    const wrapped = await keys.wrap(1, Buffer.alloc(32, 7), Buffer.from('x'));
    await closeSessions();
    write('wrong-pin');
    const login = vi.spyOn(Cryptoki.prototype, 'login');
    const unwrap = () => keys.unwrap(1, wrapped, Buffer.from('x'));
    await expect(unwrap()).rejects.toEqual(refusal('root-key', 'C_Login: CKR_PIN_INCORRECT'));
    for (let n = 0; n < 3; n += 1) {
      await expect(unwrap()).rejects.toEqual(refusal('root-key', 'has refused the PIN'));
    }
    expect(login).toHaveBeenCalledTimes(1);
    write(PIN);
    expect(await unwrap()).toEqual(Buffer.alloc(32, 7));
    login.mockRestore();
  });

  it('refuses a wrong PIN', async () => {
    await closeSessions();
    const pinFile = join(directory, 'wrong');
    writeFileSync(pinFile, 'wrong-pin', { mode: 0o600 });
    const wrong = openTokenKeys({ ...place, pinFile });
    await expect(wrong).rejects.toEqual(refusal('root-key', 'C_Login: CKR_PIN_INCORRECT'));
  });

  it('serves a broker through rotations and restarts', async () => {
    const { label } = another();
    const at = join(directory, 'broker');
    mkdirSync(at, { mode: 0o700 });
    const roots = readFileSync(new URL('../../vectors/roots.pem', import.meta.url));
    const files = { 'roots.pem': roots, 'tls.crt': SERVER.cert, 'tls.key': SERVER.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(at, name), text);
    const token = `{pkcs11: {module: ${MODULE}, token: ${TOKEN}, label: ${label}, pinFile: ../pin}}`;
    const yaml = testYaml().replace('{file: root.key}', token);
    const config = parseBrokerConfig(Buffer.from(yaml), join(at, 'broker.yaml'));
    await initBroker(config);
    const errors: unknown[] = [];
    const serve = () => serveBroker(config, { onError: (error) => errors.push(error) });
    let running = await serve();
    const admin = (method: string, path: string, body: unknown, who: 'alice' | 'olga') =>
      adminCall(running.ports.admin, method, path, body, person(who));
    const api = '/v1/tenants/default';
    await admin('PUT', `${api}/policies/web`, policyDocument(), 'alice');
    await admin('PUT', `${api}/grants/db`, { path: 'default/db/*', policy: 'web' }, 'alice');
    await admin('PUT', `${api}/secrets/default/db/one`, Buffer.from('hunter2'), 'alice');
    const pull = async () => {
      const url = (path: string) => `http://127.0.0.1:${running.ports.guests}${path}`;
      const guest = new TestGuest(url, launchGuest());
      const { body } = await guest.resource(await guest.enter(), 'default/db/one');
      return guest.decrypt(body);
    };
    expect(await pull()).toBe('hunter2');
    const rotated = await admin('POST', '/v1/root-key/rotate', undefined, 'olga');
    expect(rotated.status).toBe(200);
    expect(await pull()).toBe('hunter2');
    const epochs = async () => (await openTokenKeys({ ...place, label })).epochs;
    await expect.poll(epochs, { timeout: 60_000 }).toEqual([2]);
    await running.close();
    running = await serve();
    expect(await pull()).toBe('hunter2');
    await running.close();
    expect(errors).toEqual([]);
  });
});
