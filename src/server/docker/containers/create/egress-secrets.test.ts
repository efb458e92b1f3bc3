import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const VALUE = 'the-value-of-the-secret';
const SECRET = { Name: 'TOKEN', Value: VALUE, Host: 'API.example.com' };
const EGRESS = { Rules: ['allow:*.example.com:tcp:443'] };

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const create = (EgressSecrets: unknown, more: object = {}) =>
  home.call('POST', '/containers/create', {
    ...{ Image: 'busybox', Cmd: ['sleep', 'infinity'], Egress: EGRESS, EgressSecrets, ...more },
  });
const created = async (more: object = {}): Promise<string> =>
  ((await create([SECRET], more)).body as { Id: string }).Id;
/** All files of the home with the value in them. */
const holding = () =>
  readdirSync(home.config.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    // Not the disk of the box.
    .filter((path) => statSync(path).size < 1024 ** 3 && readFileSync(path).includes(VALUE));

describe('a box with an egress secret', () => {
  it('keeps the value in one file of the server, and shows it to nobody', async () => {
    const id = await created();
    const [path = '', ...others] = holding();
    expect(others).toEqual([]);
    expect(path).toMatch(new RegExp(`/boxes/${id}/egress-secrets.json$`));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({
      EgressSecrets: [{ Name: 'TOKEN', Host: 'api.example.com', Header: 'authorization' }],
    });
    expect(JSON.stringify(body)).not.toContain(VALUE);
    await home.call('DELETE', `/containers/${id}`);
    expect(holding()).toEqual([]);
  });

  it('gives the box a placeholder and an authority for the host alone', async () => {
    const id = await created({ Env: ['SSL_CERT_FILE=/own.pem'] });
    await home.call('POST', `/containers/${id}/start`);
    const spec = home.agents.get(id)?.spec;
    expect(JSON.stringify(spec)).not.toContain(VALUE);
    expect(spec?.process.env).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^TOKEN=a3s-egress-secret-[0-9a-f]{32}$/),
        'NODE_EXTRA_CA_CERTS=/run/a3s/authorities/box.pem',
        'REQUESTS_CA_BUNDLE=/run/a3s/authorities/all.pem',
        'SSL_CERT_FILE=/own.pem',
      ]),
    );
    const [authority = ''] = spec?.authorities ?? [];
    expect(new X509Certificate(authority).ca).toBe(true);
    expect(Buffer.from(new X509Certificate(authority).raw).includes('api.example.com')).toBe(true);
    expect(home.hostNetworks.attached.get(id)?.egress?.secretsFile).toBe(holding()[0]);
    await home.call('POST', `/containers/${id}/kill`);
  });

  it('gives each box a placeholder and an authority of its own', async () => {
    const [one, two] = [await created(), await created()].map(
      (id) => home.runtime.store.expect(id).definition.egressSecrets,
    );
    expect(one?.authority).not.toBe(two?.authority);
    expect(one?.secrets[0]?.placeholder).not.toBe(two?.secrets[0]?.placeholder);
  });

  it.each<[string, object[], object, string]>([
    ['no network policy', [SECRET], { Egress: undefined }, 'no rule of its network policy'],
    [
      'a policy that denies the host',
      [SECRET],
      { Egress: { Rules: ['deny:api.example.com', 'allow:*.example.com'] } },
      'no rule',
    ],
    [
      'a policy that names no name',
      [SECRET],
      { Egress: { Rules: ['allow:203.0.113.0/24'], Default: 'public' } },
      'no rule',
    ],
    [
      'a policy for another port',
      [SECRET],
      { Egress: { Rules: ['allow:api.example.com:tcp:80'] } },
      'no rule',
    ],
    ['a variable of its name', [SECRET], { Env: ['TOKEN=x'] }, 'besides its egress secret'],
    ['two of one name', [SECRET, { ...SECRET, Host: 'b.example.com' }], {}, 'two of this name'],
    ['an address as its host', [{ ...SECRET, Host: '203.0.113.7' }], {}, 'not the name of a host'],
    ['a header of connections', [{ ...SECRET, Header: 'Upgrade' }], {}, 'header Upgrade'],
    ['the header of hosts', [{ ...SECRET, Header: 'HOST' }], {}, 'header HOST'],
    ['a header that no request has', [{ ...SECRET, Header: '__proto__' }], {}, 'header __proto__'],
    ['a line break in its value', [{ ...SECRET, Value: `${VALUE}\r\nX: y` }], {}, 'printable'],
    ['a short value', [{ ...SECRET, Value: '1234567' }], {}, 'Value'],
    ['a long value', [{ ...SECRET, Value: VALUE.padEnd(4097, 'x') }], {}, 'Value'],
    ['a field that is none', [{ ...SECRET, Path: '/' }], {}, 'Path'],
  ])('refuses an egress secret with %s, without its value', async (_, secrets, more, message) => {
    const answer = await create(secrets, more);
    expect(answer).toMatchObject({
      ...{ status: 400, body: { code: 'invalid-argument' } },
    });
    const text = JSON.stringify(answer.body);
    expect(text).toContain(message);
    expect(text).not.toContain(VALUE);
    expect(home.runtime.store.list()).toEqual([]);
    expect(holding()).toEqual([]);
  });

  it('refuses an egress secret of a confidential box', async () => {
    const more = { Egress: undefined, Confidential: { Tee: 'simulate' } };
    expect(await create([SECRET], more)).toMatchObject({
      status: 400,
      body: {
        code: 'unsupported-option',
        message: expect.stringContaining('the host would see its requests'),
      },
    });
  });

  it('refuses forks and boxes from the disk of a box with egress secrets', async () => {
    const id = await created();
    await home.call('POST', `/containers/${id}/start`);
    const snapshot = (more: object) =>
      home.call('POST', '/a3s/v1/snapshots', { box: id, name: 'saved', ...more });
    const refused = {
      body: { code: 'unsupported-option', message: expect.stringContaining('egress secrets') },
    };
    expect(await snapshot({ memory: true })).toMatchObject(refused);
    expect(await snapshot({ memory: false })).toMatchObject({ status: 201 });
    expect(await home.call('POST', '/a3s/v1/snapshots/saved/boxes', {})).toMatchObject(refused);
    await home.call('POST', `/containers/${id}/kill`);
  });
});
