import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSubnet } from '../../networks/ipv4.ts';
import { BuildEgress } from './build-egress.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'egress-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const OWN = [readSubnet('192.0.2.0/24')];

function standing(policy?: string) {
  if (policy !== undefined) writeFileSync(join(home, 'build-network-policy.yaml'), policy);
  const places = { home, system: join(home, 'none'), hostSubnets: async () => OWN };
  return new BuildEgress(places).standing();
}

/** Why a connection is refused, by the addresses of its name; undefined: it is not. */
async function refusal(policy: string | undefined, asked: string, found?: string) {
  const [, host = '', port] = /^(.*):(\d+)$/.exec(asked) ?? [];
  const egress = await standing(policy);
  try {
    return egress.rule({ host, port: Number(port) }).refusal(found);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

it.each([
  ['registry.npmjs.org:443', '203.0.113.7'],
  ['deb.debian.org:80', '203.0.113.7'],
  // Another proxy finds the address.
  ['deb.debian.org:80', undefined],
  ['203.0.113.7:8080', '203.0.113.7'],
])('permits public addresses where no policy is: %s', async (asked, found) => {
  expect(await refusal(undefined, asked, found)).toBeUndefined();
});

it.each([
  ['127.0.0.1:80', undefined],
  ['0.0.0.0:80', undefined],
  ['169.254.169.254:80', undefined],
  ['168.63.129.16:80', undefined],
  ['10.1.2.3:443', undefined],
  ['172.17.0.1:3130', undefined],
  ['192.168.0.1:443', undefined],
  ['100.64.0.1:443', undefined],
  ['192.0.2.2:443', undefined],
  ['::1:443', undefined],
  ['::ffff:10.0.0.1:443', undefined],
  ['fd00::1:443', undefined],
  ['localhost:80', undefined],
  ['x.LOCALHOST.:80', undefined],
  ['127.1:80', undefined],
  ['0x7f000001:80', undefined],
  ['2130706433:80', undefined],
  ['a name:80', undefined],
  ['public.example:53', undefined],
  ['public.example:853', '203.0.113.7'],
  ['rebound.example:80', '127.0.0.1'],
  ['rebound.example:80', '10.1.2.3'],
  ['rebound.example:80', '192.0.2.2'],
  ['rebound.example:80', '::ffff:127.0.0.1'],
  ['rebound.example:80', '2001:db8::1'],
])('refuses %s at %s where no policy is', async (asked, found) => {
  expect(await refusal(undefined, asked, found)).toEqual(expect.any(String));
});

const MIRROR = `default: public
rules:
  - allow:10.0.0.5:tcp:443
  - deny:*.ads.example
`;

it('opens a private mirror by its address, and no other address or port', async () => {
  expect(await refusal(MIRROR, '10.0.0.5:443', '10.0.0.5')).toBeUndefined();
  expect(await refusal(MIRROR, 'mirror.corp:443', '10.0.0.5')).toBeUndefined();
  expect(await refusal(MIRROR, '10.0.0.5:80')).toMatch(/private address/);
  expect(await refusal(MIRROR, 'mirror.corp:443', '10.0.0.6')).toMatch(/private address/);
  expect(await refusal(MIRROR, 'x.ads.example:443', '203.0.113.7')).toBe(
    'the network policy of builds refuses it: deny:*.ads.example',
  );
});

it('opens no address of the host or its link by any rule', async () => {
  const all = 'rules: ["allow:0.0.0.0/0", "allow:name.example"]\n';
  for (const address of [
    '127.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '168.63.129.16',
    '100.100.100.200',
  ]) {
    expect(await refusal(all, `${address}:80`)).toMatch(/of the host itself/);
    expect(await refusal(all, 'name.example:80', address)).toMatch(/of the host itself/);
  }
  expect(await refusal(all, '10.0.0.1:80', '10.0.0.1')).toBeUndefined();
});

it('takes a name with a private address for an attack unless a rule allows the address', async () => {
  expect(await refusal('rules: ["allow:name.example"]\n', 'name.example:80', '10.0.0.1')).toMatch(
    /its name has a private address/,
  );
  const port = 'rules: ["allow:name.example", "allow:10.0.0.1:tcp:443"]\n';
  expect(await refusal(port, 'name.example:443', '10.0.0.1')).toBeUndefined();
  expect(await refusal(port, 'name.example:80', '10.0.0.1')).toMatch(/on this port/);
});

it('refuses what a policy does not name, before a name is looked up', async () => {
  const policy = 'rules: ["allow:pypi.org:tcp:443"]\n';
  expect(await refusal(policy, 'pypi.org:443', '203.0.113.7')).toBeUndefined();
  expect(await refusal(policy, 'pypi.org:443')).toBeUndefined();
  const refused = 'the network policy of builds does not allow it';
  expect(await refusal(policy, 'example.org:443')).toBe(refused);
  expect(await refusal(policy, 'pypi.org:80')).toBe(refused);
  expect(await refusal(policy, 'pypi.org:80', '203.0.113.7')).toBe(refused);
});

it('names rules that permit other things otherwise', async () => {
  const asked = { host: 'a.example', port: 443 };
  const first = (await standing()).rule(asked).id;
  expect((await standing()).rule(asked).id).toBe(first);
  expect((await standing()).rule({ ...asked, port: 80 }).id).not.toBe(first);
  expect((await standing(MIRROR)).rule(asked).id).not.toBe(first);
});

it.each([
  ['that is none', 'default: allow\n', /default: expected one of deny, public/],
  ['with an unknown rule', 'rules: ["permit:x"]\n', /rules\[0\]/],
  ['that is no document', '- {', /Cannot use the network policy/],
])('refuses a policy %s, and says where', async (_, text, reason) => {
  await expect(standing(text)).rejects.toMatchObject({
    code: 'policy-invalid',
    message: expect.stringMatching(reason),
  });
});
