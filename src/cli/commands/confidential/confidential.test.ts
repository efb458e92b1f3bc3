import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST_PERMISSIONS } from '@a3s-box/policies';
import { describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../../box-options/host-permission.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const a3s = (line: string): Promise<Transcript> =>
  transcript(socket, line.split(' '), { cwd: directory });

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;

writeFileSync(join(directory, 'broker.pub'), PEM);
writeFileSync(join(directory, 'p256.pub'), P256.export({ type: 'spki', format: 'pem' }));
writeFileSync(join(directory, 'broker.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
writeFileSync(join(directory, 'id.bin'), Buffer.alloc(4192, 7));
writeFileSync(join(directory, 'short.bin'), Buffer.alloc(96));
const { publicKey: other } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
writeFileSync(join(directory, 'k1.pub'), other.export({ type: 'spki', format: 'pem' }));
writeFileSync(join(directory, 'two.pub'), PEM + PEM);

const sent = (): Record<string, unknown> =>
  JSON.parse(server.called('POST /containers/create')?.body ?? '{}');

describe('run --tee', () => {
  it('run --tee sends the settings of its flags', async () => {
    const done = await a3s(
      'run -d --tee simulate --name db --host-may stats,logs --host-may logs' +
        ' --host-networks 2 --host-name db --host-name cache' +
        ' --secret token:from=broker.pub:from=p256.pub --secret db.url:env:allow-any-injector' +
        ' --secrets-deadline 2m --deployment prod --changes encrypted-disk --boot abc' +
        ' --id-block id.bin -p 127.0.0.1:8443:ratls box both',
    );
    expect(done.stderr).toMatch(
      /^SIMULATED: .*\nWARNING: any client that reaches the box .*: db.url\n$/,
    );
    expect(done.stdout).toMatch(/^a+1\n$/);
    expect(sent()).toMatchObject({
      ExposedPorts: { 'ratls/tcp': {} },
      HostConfig: { PortBindings: { 'ratls/tcp': [{ HostIp: '127.0.0.1', HostPort: '8443' }] } },
      Confidential: {
        Tee: 'simulate',
        HostMay: ['logs', 'stats'],
        HostNetworks: 2,
        HostNames: ['db', 'cache'],
        Secrets: [
          {
            Name: 'token',
            InjectorKeys: [PEM, P256.export({ type: 'spki', format: 'pem' })],
            AllowAnyInjector: false,
          },
          { Name: 'db.url', InjectorKeys: [], AllowAnyInjector: true, Env: 'DB_URL' },
        ],
        Deployment: 'prod',
        Changes: 'encrypted-disk',
        SecretsDeadline: 120,
        BootSet: 'abc',
        IdBlock: Buffer.alloc(96, 7).toString('base64'),
        IdAuth: Buffer.alloc(4096, 7).toString('base64'),
      },
    });
  });

  it('run --tee sends its broker, and the paths of what it fetches there', async () => {
    const key = 'a'.repeat(64);
    await a3s(
      `run -d --tee simulate --broker https://broker.example,key=${key},tokens` +
        ' --secret token:from=broker/default/db/token:env --secret pin:from=broker.pub' +
        ' --secret tls:from=broker/default/db/tls,refresh=12h --secret key:from=broker/a/b/c,refresh' +
        ' box both',
    );
    expect(sent()['Confidential']).toMatchObject({
      Broker: { Host: 'broker.example', Port: 443, Tenant: 'default', Key: key, Tokens: true },
      Secrets: [
        { Name: 'token', InjectorKeys: [], Resource: 'default/db/token', Env: 'TOKEN' },
        { Name: 'pin', InjectorKeys: [PEM] },
        { Name: 'tls', Resource: 'default/db/tls', Refresh: 43_200 },
        { Name: 'key', Resource: 'a/b/c', Refresh: 300 },
      ],
    });
  });

  it.each([
    ['--broker https://b.example --secret t:from=broker/a/b/c', 'it needs key=SHA256'],
    ['--secret t:from=broker/a/b/c', 'there is no --broker'],
    [
      `--broker https://b.example,key=${'a'.repeat(64)}`,
      'no secret or key is from it, and it counts no volume',
    ],
    [`--broker https://b.example,key=${'a'.repeat(64)},more`, 'URL,key=SHA256[,tokens]'],
    [`--broker https://b.example,tokens,key=${'a'.repeat(64)},tokens`, 'URL,key=SHA256[,tokens]'],
    [
      '-v data:/data:sealed,init,counter=a/b/c',
      'cannot have the key or the counter of a sealed volume: there is no --broker',
    ],
    ['--secret t:from=broker/a/b/c:from=broker.pub', 'nobody may inject it'],
    ['--secret t:from=broker/a/b/c:allow-any-injector', 'nobody may inject it'],
    ['--secret t:from=broker/a/b', 'repository/type/tag'],
    ['--secret t:from=broker/a/b/c,refresh=9', 'from 10s to 7 days'],
    ['--secret t:from=broker/a/b/c,refresh=169h', 'from 10s to 7 days'],
    ['--secret t:from=broker/a/b/c,refresh=', 'from 10s to 7 days'],
    ['--secret t:from=broker/a/b/c,again', 'takes refresh or refresh=DURATION'],
    ['--secret t:from=broker/a/b/c,refresh,refresh=10', 'takes refresh or refresh=DURATION'],
    ['--secret t:from=broker/a/b/c,refresh:env', 'refresh is for a file'],
  ])('run --tee refuses %s', async (flags, message) => {
    const done = await a3s(`run -d --tee simulate ${flags} box both`);
    expect(done.status).toBe(125);
    expect(done.stderr).toContain(message);
  });

  it('run --tee sends its sealing, and the keys of its sealers', async () => {
    await a3s(
      'run -d --tee simulate --sealing exact --sealer broker.pub --sealer p256.pub box both',
    );
    expect(sent()['Confidential']).toMatchObject({
      Sealing: 'exact',
      SealerKeys: [PEM, P256.export({ type: 'spki', format: 'pem' })],
    });
  });

  it.each([
    ['run -d --tee simulate --sealing any box both', 'it takes none, exact, upgradable'],
    [
      'run -d --tee simulate --sealing exact --sealer broker.key box both',
      '--sealer: broker.key is',
    ],
    ['run -d --sealing exact box both', 'without --tee'],
  ])('refuses %s', async (line, message) => {
    const done = await a3s(line);
    expect(done.status).not.toBe(0);
    expect(done.stderr).toContain(message);
  });

  it('run --tee passes sealed volumes on, in both forms', async () => {
    const id = '0'.repeat(32);
    const long = 'type=volume,src=b,dst=/b,volume-opt=type=sealed,volume-opt=init';
    const done = await a3s(
      `run -d --tee simulate -v a:/a:sealed,id=${id} --mount ${long} box both`,
    );
    expect(done.stderr).toMatch(/^SIMULATED: /);
    expect(sent()['HostConfig']).toMatchObject({
      Binds: [`a:/a:sealed,id=${id}`],
      Mounts: [{ VolumeOptions: { DriverConfig: { Options: { type: 'sealed', init: '' } } } }],
    });
  });

  it('create --tee sends only the given settings', async () => {
    const done = await a3s('create --tee snp box');
    expect(done.stderr).toBe('');
    expect(sent()['Confidential']).toEqual({ Tee: 'snp', HostMay: [], Secrets: [] });
    await a3s('run -d --name plain box both');
    expect(server.calls.at(-2)?.body).not.toContain('Confidential');
  });

  it('run --tee in the foreground needs logs, and keeps the output clean', async () => {
    const done = await a3s('run --tee simulate --host-may logs box both');
    expect(done).toMatchObject({ status: 0, stdout: 'to stdout\n' });
    expect(done.stderr).toMatch(/^SIMULATED: .*\nto stderr\n$/);
  });
});

describe('run --tee snp', () => {
  const hostWith = (snp: object): void => {
    const tees = [
      { name: 'sev-snp', ...snp },
      { name: 'simulated', available: true },
    ];
    server.answers.set('GET /a3s/v1/host', { json: { engines: [{ name: 'qemu', tees }] } });
  };
  const LACKS = 'the CPU has no sev_snp flag; there is no /dev/sev';
  const FIRMWARE = 'the boot set has no firmware for confidential boxes';

  it.each([
    'run --tee snp missing',
    'run -it --tee snp -v /srv:/srv --secret token box',
    'run -d --tee snp --image-policy absent.yaml --boot abc box',
  ])('reports before all else that the host has no SEV-SNP: %s', async (line) => {
    hostWith({ available: false, reason: LACKS });
    expect(await a3s(line)).toMatchObject({
      status: 125,
      stdout: '',
      stderr: expect.stringMatching(
        `^a3s-box: cannot run it: this host has no SEV-SNP: ${LACKS} \\(tee-unavailable\\)\nRun it on`,
      ),
    });
    expect(server.log).toEqual(['GET /a3s/v1/host']);
  });

  it('starts a box with --tee snp on a host that has SEV-SNP', async () => {
    hostWith({ available: true });
    expect(await a3s('run -d --tee snp box both')).toMatchObject({ status: 0, stderr: '' });
    expect(sent()['Confidential']).toMatchObject({ Tee: 'snp' });
  });

  it('accepts the firmware of the named boot set when the installed one has none', async () => {
    hostWith({ available: false, reason: FIRMWARE });
    expect((await a3s('run -d --tee snp --boot abc box both')).status).toBe(0);
    expect((await a3s('run -d --tee snp box both')).stderr).toContain(FIRMWARE);
    server.answers.set('GET /a3s/v1/host', { json: { engines: [] } });
    expect((await a3s('run -d --tee snp --boot abc box')).stderr).toContain('no engine can use it');
  });

  it('asks about SEV-SNP only for run --tee snp', async () => {
    await a3s('run -d --tee simulate box both');
    await a3s('create --tee snp box');
    expect(server.log).not.toContain('GET /a3s/v1/host');
  });
});

describe('unsupported options of a confidential box', () => {
  it.each([
    ['run --tee simulate box', 'host-not-permitted', '--host-may logs'],
    ['run --tee simulate --host-may attach box', 'host-not-permitted', 'foreground'],
    ['run -di --tee simulate box', 'host-not-permitted', '--host-may attach'],
    ['run -it --tee simulate --host-may logs box', 'host-not-permitted', '--interactive'],
    ['run -d --tee sgx box', 'invalid-argument', 'it takes snp or simulate'],
    ['run -d --tee simulate -v /srv:/srv box', 'unsupported-option', '-v, --volume'],
    ['run -d --tee simulate -v data:/srv box', 'unsupported-option', 'a sealed volume'],
    ['run -d --tee simulate -v a:/a:sealed -v b:/b box', 'unsupported-option', '-v, --volume'],
    ['run -d --tee simulate -v a:/a:sealed,init,id=0 box', 'invalid-argument', 'invalid mode'],
    ['run -d -v a:/a:init box', 'invalid-argument', 'invalid mode'],
    ['run -d --tee simulate -v /srv box', 'unsupported-option', '-v, --volume'],
    ['run -d --tee simulate --mount target=/srv box', 'unsupported-option', '--mount'],
    ['run -d --tee simulate --host-may all box', 'invalid-argument', 'attach, exec, files'],
    ['run -d --tee simulate --changes disk box', 'invalid-argument', 'memory or encrypted-disk'],
    ['run -d --tee simulate --deployment A box', 'invalid-argument', 'lower-case'],
    ['run -d --tee simulate --boot= box', 'invalid-argument', 'it names a boot set'],
    ['run -d --tee simulate --secrets-deadline 2d box', 'invalid-argument', 'at most a day'],
    ['run -d --tee simulate --secrets-deadline 0 box', 'invalid-argument', 'at most a day'],
    ['run -d --tee simulate --id-block short.bin box', 'invalid-argument', 'a3s-box boot sign'],
    ['run -d --tee simulate --network none -p 1:ratls box', 'unsupported-option', '--network none'],
    ['run -d --secret t:from=broker.pub box', 'unsupported-option', '--secret without --tee'],
    ['run -d --host-may logs box', 'unsupported-option', '--host-may without --tee'],
    ['run -d --host-networks 2 box', 'unsupported-option', '--host-networks without --tee'],
    ['run -d --tee simulate --host-networks 0 box', 'invalid-argument', 'from 1 to 8'],
    ['create --changes memory box', 'unsupported-option', '--changes without --tee'],
    ['run -d -p 8443:ratls box', 'unsupported-option', 'ratls without --tee'],
    ['run -d -p 8443:ratls --from-snapshot s', 'unsupported-option', '--from-snapshot'],
    ['run -d --tee simulate --from-snapshot s', 'unsupported-option', '--from-snapshot'],
  ])('refuses the command line: %s', async (line, code, words) => {
    const done = await a3s(line);
    expect(done.stderr).toContain(`(${code})`);
    expect(done.stderr).toContain(words);
    expect(done).toMatchObject({ status: 125, stdout: '' });
    expect(server.log).toEqual([]);
  });

  it.each([
    ['Token:from=broker.pub', 'invalid-argument', 'no name of a secret'],
    ['token', 'invalid-argument', 'nobody may inject it'],
    ['token:env', 'invalid-argument', 'nobody may inject it'],
    ['token:from=', 'invalid-argument', 'names no key'],
    ['token:from=broker.pub:allow-any-injector', 'invalid-argument', 'allows everybody'],
    ['token:from=broker.pub:env=1X', 'invalid-argument', 'no name of a variable'],
    ['token:from=broker.pub:env:env=X', 'invalid-argument', 'given twice'],
    ['token:from=absent.pub', 'invalid-argument', 'no such file'],
    ['token:from=broker.key', 'key-invalid', 'is a private key'],
    ['token:from=k1.pub', 'key-invalid', 'Ed25519, P-256 or P-384'],
    ['token:from=two.pub', 'key-invalid', 'not one public key'],
    ['token:from=id.bin', 'key-invalid', 'not one public key'],
    ['t:from=broker.pub --secret t:from=broker.pub', 'invalid-argument', 't is given twice'],
    [
      'a:from=broker.pub:env=X --secret b:from=broker.pub:env=X',
      'invalid-argument',
      'the variable X',
    ],
  ])('refuses the secret %s', async (spec, code, words) => {
    const done = await a3s(`run -d --tee simulate --secret ${spec} box`);
    expect(done.stderr).toContain(words);
    expect(done.stderr).toContain(`(${code})`);
    expect(done).toMatchObject({ status: 125, stdout: '' });
    expect(server.log).toEqual([]);
  });

  it('accepts a colon in the name of a key file', async () => {
    writeFileSync(join(directory, 'a:b.pub'), PEM);
    await a3s('create --tee snp --secret token:from=a:b.pub:env box');
    expect(sent()['Confidential']).toMatchObject({
      Secrets: [{ InjectorKeys: [PEM], Env: 'TOKEN' }],
    });
  });
});

describe('a simulated box', () => {
  const Confidential = { Tee: 'simulate', Simulated: true };

  it('marks a simulated box as SIMULATED in ps, inspect and logs', async () => {
    const box = { Id: 'a'.repeat(64), Names: ['/db'], Confidential };
    server.answers.set('GET /containers/json', { json: [box, { Confidential: { Tee: 'snp' } }] });
    server.answers.set('GET /containers/db/json', { json: { ...box, Confidential } });
    expect((await a3s('ps')).stdout).toMatch(/ SIMULATED +.* db\n.* snp /);
    expect(await a3s('ps --format {{.Tee}}')).toMatchObject({ stdout: 'SIMULATED\nsnp\n' });
    const shown = await a3s('inspect db');
    expect(shown.stderr).toMatch(/^SIMULATED: /);
    expect(JSON.parse(shown.stdout)).toMatchObject([{ Confidential }]);
    expect((await a3s('logs db')).stderr).toMatch(/^SIMULATED: /);
  });
});

it('shows everywhere that a box has a secret that anybody may inject', async () => {
  const Secrets = [{ Name: 'token', AllowAnyInjector: true }];
  const Confidential = { Tee: 'snp', AllowAnyInjector: true, Secrets };
  server.answers.set('GET /containers/json', { json: [{ Confidential }] });
  server.answers.set('GET /containers/db/json', { json: { Id: 'a'.repeat(64), Confidential } });
  expect((await a3s('ps --format {{.Tee}}')).stdout).toBe('snp, any injector\n');
  for (const line of ['inspect db', 'logs db']) {
    expect((await a3s(line)).stderr).toBe(
      'WARNING: any client that reaches the box may inject: token\n',
    );
  }
});

it('accepts every permission of the schema on the command line', () => {
  expect(PERMISSIONS).toEqual(HOST_PERMISSIONS);
});
