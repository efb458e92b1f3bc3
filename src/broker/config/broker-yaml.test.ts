import { describe, expect, it } from 'vitest';
import { testYaml } from '../testing/test-broker.ts';
import { parseBrokerConfig } from './broker-yaml.ts';

const parse = (text: string) => parseBrokerConfig(Buffer.from(text), '/etc/broker/broker.yaml');
const refused = (message: string) =>
  expect.objectContaining({ code: 'broker-config', message: expect.stringContaining(message) });

describe('broker.yaml', () => {
  it('resolves the paths of broker.yaml from its directory, and keeps its defaults', () => {
    const config = parse(testYaml());
    expect(config).toMatchObject({
      store: '/etc/broker/broker.db',
      rootKey: '/etc/broker/root.key',
      checkpointEntries: 16,
      guests: { listen: { host: '127.0.0.1', port: 0 } },
      endorsements: { store: '/etc/broker/endorsements', fetch: false },
      quotas: { secrets: 4096, secretBytes: 64 * 1024 * 1024 },
      rateLimits: { perSecond: 20, burst: 60, allPerSecond: 1000 },
    });
    expect(config.guests.tls).toBeUndefined();
    expect(parse(testYaml().replace('broker.db', '/var/b.db')).store).toBe('/var/b.db');
    expect(parse(testYaml().replace('"127.0.0.1:0"', '"[::1]:80"')).guests.listen).toEqual({
      host: '::1',
      port: 80,
    });
  });

  it.each([
    ['an unknown key', 'store:', 'stores: x\nstore:', 'Unrecognized key'],
    ['an unknown key of a tenant', 'admins:', 'grant: {}\n    admins:', 'tenants.default'],
    ['an unknown role', 'role: writer', 'role: owner', 'tenants.default.admins.wendy.role'],
    ['a port that does not exist', '"127.0.0.1:0"', '"127.0.0.1:70000"', 'expected HOST:PORT'],
    ['an address without a port', '"127.0.0.1:0"', '"127.0.0.1"', 'guests.listen'],
    ['a name with odd characters', 'alice:', '"al/ice":', 'al/ice'],
    ['a pin that is none', 'olga: {key: ', 'olga: {key: x', 'operators.olga.key'],
    ['an anchor', 'store: broker.db', 'store: &x broker.db', 'anchors are not read'],
    ['a limit of nothing', 'limits: {}', 'limits: {burst: 0}', 'limits.burst'],
    ['no policy of a derived key', 'file: root.key', 'derived: {references: r}', 'rootKey'],
    [
      'two root keys',
      'file: root.key',
      'file: r, derived: {references: r, policy: exact}',
      'rootKey',
    ],
    ['one key for results and the log', 'key: results.key', 'key: ./audit.key', 'results.key'],
  ])('refuses a broker.yaml with %s', (_, text, replacement, message) => {
    expect(testYaml()).toContain(text);
    expect(() => parse(testYaml().replace(text, replacement))).toThrow(refused(message));
  });

  it('derives a root key in the guest of the box, and takes simulated ones only where it says so', () => {
    const derived = (more: string) =>
      parse(testYaml().replace('file: root.key', `derived: {references: r, policy: exact${more}}`));
    const place = { references: '/etc/broker/r', policy: 'exact', socket: '/run/a3s/agent.sock' };
    expect(derived('')).toMatchObject({
      rootKey: { ...place, allowSimulated: false },
      auditHead: '/etc/broker/r.audit-head',
    });
    expect(derived(', allowSimulated: true').rootKey).toEqual({ ...place, allowSimulated: true });
  });

  it('shows evidence over RA-TLS only beside TLS, whose key boxes know the broker by', () => {
    const guests = (more: string) =>
      testYaml().replace(
        'guests: {listen: "127.0.0.1:0"',
        `guests: {listen: "127.0.0.1:0", ${more}`,
      );
    const ratls = 'ratls: {listen: "0.0.0.0:8443"}';
    expect(() => parse(guests(ratls))).toThrow(refused('expected tls beside ratls'));
    expect(parse(guests(`${ratls}, tls: {cert: a, key: b}`)).guests.ratls).toEqual({
      listen: { host: '0.0.0.0', port: 8443 },
      socket: '/run/a3s/agent.sock',
    });
  });

  it('takes guests without TLS from this host alone, unless the file says that it is insecure', () => {
    const guests = (text: string) => testYaml().replace('guests: {listen: "127.0.0.1:0"', text);
    const open = 'guests: {listen: "0.0.0.0:80"';
    for (const text of [open, 'guests: {listen: "localhost:80"', 'guests: {listen: "[::]:80"']) {
      expect(() => parse(guests(text))).toThrow(refused('guests: expected tls'));
    }
    for (const text of [
      'guests: {listen: "127.1.2.3:80"',
      'guests: {listen: "[::1]:80"',
      `${open}, insecureWithoutTls: true`,
      `${open}, tls: {cert: a, key: b}`,
    ]) {
      expect(parse(guests(text)).guests.listen.port).toBe(80);
    }
  });

  it('takes a database of PostgreSQL for its store, over TLS unless it is on this host', () => {
    const store = (text: string) =>
      parse(testYaml().replace('store: broker.db', `store: {postgresql: {${text}}}`)).store;
    const named = 'database: broker, user: me';
    expect(store(`host: db.example, ${named}, passwordFile: pw, tls: {ca: ca.crt}`)).toEqual({
      ...{ host: 'db.example', port: 5432, database: 'broker', user: 'me' },
      ...{ passwordFile: '/etc/broker/pw', tls: { ca: '/etc/broker/ca.crt' } },
    });
    for (const host of ['/run/postgresql', '127.0.0.1', '"::1"']) {
      expect(store(`host: ${host}, ${named}`)).toMatchObject({ user: 'me' });
    }
    expect(store(`host: db, ${named}, insecureWithoutTls: true`)).toMatchObject({ host: 'db' });
    expect(() => store(`host: db, ${named}`)).toThrow(refused('expected tls'));
    expect(() => store(`host: localhost, ${named}`)).toThrow(refused('expected tls'));
    expect(() => store(`host: run/postgresql, ${named}`)).toThrow(refused('store'));
    expect(() => store(`host: db, ${named}, password: x`)).toThrow(refused('store'));
  });

  it('takes a root key on a token, with the head of the log beside the key of the log', () => {
    const token = 'module: /usr/lib/token.so, token: hsm, label: broker';
    const yaml = (text: string) => testYaml().replace('{file: root.key}', `{pkcs11: {${text}}}`);
    const { rootKey, auditHead } = parse(yaml(`${token}, pinFile: pin`));
    expect(rootKey).toEqual({
      ...{ module: '/usr/lib/token.so', token: 'hsm', label: 'broker' },
      pinFile: '/etc/broker/pin',
    });
    expect(auditHead).toBe('/etc/broker/audit.key.audit-head');
    expect(parse(testYaml()).auditHead).toBe('/etc/broker/root.key.audit-head');
    expect(() => parse(yaml(token))).toThrow(refused('rootKey'));
    expect(() => parse(yaml(`${token}, pinFile: pin, pin: 1234`))).toThrow(refused('rootKey'));
  });

  it('refuses a broker.yaml in which two administrators have one key', () => {
    const [, pin = ''] = /alice: \{key: (\w+)\}/.exec(testYaml()) ?? [];
    const twice = testYaml().replace('wendy:', `zoe: {key: ${pin}, role: auditor}\n      wendy:`);
    expect(() => parse(twice)).toThrow(refused('tenants.default.admins.zoe'));
  });

  it.each([
    ['policy', 'policies: {web: {allowSimulated: true, attestation: {}}}', 'policies.web'],
    ['policy key', 'policies: {web: {attestation: {allowDebugs: true}}}', 'did you mean'],
    ['grant', 'grants: {db: {path: "default/*", policy: web}}', 'grants.db'],
  ])('refuses a broker.yaml with a bad %s, and names its place', (_, declared, message) => {
    expect(() => parse(testYaml({ declared: `    ${declared}` }))).toThrow(refused(message));
  });
});
