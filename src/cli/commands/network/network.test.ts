// The commands beside those of Docker's own command line, against the same answers.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { NetworkCreateBody } from '../../../docker-api/network.ts';
import { docker } from '../../../server/testing/docker.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

function a3s(args: readonly string[], answer = ''): Promise<Transcript> {
  const stdin = new PassThrough();
  stdin.end(answer);
  return transcript(socket, ['network', ...args], { stdin });
}

const theirs = (args: readonly string[], answer = '') =>
  docker(socket, ['network', ...args], answer);

const ID = 'c0ffee'.repeat(11).slice(0, 64);

function network(Name: string, more: object = {}) {
  return {
    ...{ Name, Id: ID, Created: '2026-01-02T03:04:05.6Z', Scope: 'local', Driver: 'bridge' },
    IPAM: {
      ...{ Driver: 'default', Options: {} },
      Config: [{ Subnet: '10.89.0.0/24', Gateway: '10.89.0.1' }],
    },
    ...{ EnableIPv6: false, Internal: false, Attachable: false, Ingress: false, ConfigOnly: false },
    ...{ ConfigFrom: { Network: '' }, Containers: {}, Options: {}, Labels: {}, ...more },
  };
}

const NO_SUCH = {
  ...{ status: 404, json: { code: 'no-such-network', message: 'network nobody not found' } },
};

describe('network create', () => {
  const body = () => NetworkCreateBody.parse(sent());
  /** Docker's client sends fields of swarms, and null for what is empty. */
  const sent = (): unknown =>
    JSON.parse(server.called('POST /networks/create')?.body ?? '', (_, value) =>
      value === null ? undefined : value,
    );

  it.each([
    [['db']],
    [['--internal', '--attachable', '--label', 'a=b', '--label', 'c', 'db']],
    [['-d', 'overlay', '-o', 'a=b', '--opt', 'c', 'db']],
    [['--subnet', '10.1.0.0/16', '--gateway', '10.1.0.9', '--ip-range', '10.1.5.0/24', 'db']],
    [['--subnet', '10.1.0.0/16', '--aux-address', 'printer=10.1.0.7', 'db']],
    [['--subnet', '10.1.0.0/16,10.2.0.0/16', 'db']],
    [['--ipv6', 'db']],
    [
      [
        ...['--ipv6', '--subnet', 'fd00:89::/64', '--subnet', '10.1.0.0/16'],
        ...['--gateway', '10.1.0.9', '--gateway', 'fd00:89::9', 'db'],
      ],
    ],
    [['--ipam-driver', 'dhcp', 'db']],
  ])('asks with %j for what Docker asks for', async (args) => {
    server.answers.set('POST /networks/create', { status: 201, json: { Id: ID, Warning: '' } });
    expect(await theirs(['create', ...args])).toMatchObject({ code: 0, stdout: `${ID}\n` });
    const asked = body();
    server.calls.length = 0;
    expect(await a3s(['create', ...args])).toMatchObject({
      ...{ status: 0, stdout: `${ID}\n`, stderr: '' },
    });
    expect(withSortedSubnets(body())).toEqual(withSortedSubnets(asked));
  });

  it('shows the warning of the server', async () => {
    const json = { Id: ID, Warning: 'no box can be started in it' };
    server.answers.set('POST /networks/create', { status: 201, json });
    expect(await a3s(['create', 'db'])).toMatchObject({
      ...{ status: 0, stderr: 'WARNING: no box can be started in it\n' },
    });
  });

  it.each([
    [[], 1, '"a3s-box network create" requires exactly 1 argument'],
    [['--gateway', '10.1.0.1', 'db'], 1, 'every ip-range or gateway must have a corresponding'],
    [['--aux-address', 'a=10.1.0.1', 'db'], 1, 'no matching subnet for aux-address 10.1.0.1'],
    [
      ['--subnet', '10.1.0.0/16', '--gateway', 'fd00::1', 'db'],
      ...([1, 'no matching subnet for gateway fd00::1'] as const),
    ],
    [
      [
        ...['--subnet', '10.1.0.0/16', '--subnet', 'fd00::/64'],
        ...['--gateway', '10.1.0.1', '--gateway', '10.1.0.2', 'db'],
      ],
      ...([1, 'cannot configure multiple gateways (10.1.0.2, 10.1.0.1)'] as const),
    ],
    [['--scope', 'swarm', 'db'], 125, 'unsupported flag --scope'],
    [['--config-only', 'db'], 125, 'unsupported flag --config-only'],
    [['--ingress', 'db'], 125, 'unsupported flag --ingress'],
    [['--label', 'a b=c', 'db'], 125, "label 'a b' contains whitespaces"],
  ])('refuses network create %j', async (args, status, why) => {
    const done = await a3s(['create', ...args]);
    expect(done.stderr).toContain(why);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('network ls', () => {
  const NETWORKS = [
    network('web10', { Labels: { a: '1' }, Internal: true }),
    network('web9', { Created: '2026-01-02T03:04:05.000000006Z' }),
    network('none', { Driver: 'null', Created: '1970-01-01T00:00:00Z' }),
    network('bridge'),
  ];

  it.each([
    [[]],
    [['-q']],
    [['--no-trunc']],
    [['-q', '--no-trunc']],
    [['-q', '--format', 'table']],
    [['--format', 'json']],
    [['--format', '{{.ID}} {{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.Internal}}']],
    [['--format', '{{.Labels}} {{.Label "a"}} {{.Label "constructor"}} {{.CreatedAt}}']],
    [['--format', 'table {{.Name}}\\t{{.IPv6}}\\t{{.Internal}}\\t{{.Labels}}\\t{{.CreatedAt}}']],
  ])("shows with %j what Docker's shows", async (args) => {
    server.answers.set('GET /networks', { json: NETWORKS });
    const shown = await theirs(['ls', ...args]);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(await a3s(['ls', ...args])).toMatchObject({ status: 0, stdout: shown.stdout });
    expect((await a3s(['list', ...args])).stdout).toBe(shown.stdout);
  });

  it('passes filters', async () => {
    server.answers.set('GET /networks', { json: [] });
    await a3s(['ls', '-f', 'driver=bridge', '--filter', 'type=custom']);
    expect(JSON.parse(server.calls.at(-1)?.query.get('filters') ?? '')).toEqual({
      ...{ driver: ['bridge'], type: ['custom'] },
    });
  });

  it('refuses a format that cannot be read, before the server is asked', async () => {
    expect(await a3s(['ls', '--format', '{{.Name'])).toMatchObject({ status: 1, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('network inspect', () => {
  it.each([
    [['db']],
    [['db', 'other']],
    [['-v', '-f', '{{.Name}} {{(index .IPAM.Config 0).Subnet}}', 'db']],
  ])('shows with %j the documents of networks', async (args) => {
    server.answers.set('GET /networks/db', { json: network('db') });
    server.answers.set('GET /networks/other', { json: network('other') });
    const shown = await theirs(['inspect', ...args]);
    const done = await a3s(['inspect', ...args]);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    if (args.includes('-f')) expect(done.stdout).toBe(shown.stdout);
    else expect(namesOf(done.stdout)).toEqual(namesOf(shown.stdout));
  });

  it('inspect without a kind also finds a network', async () => {
    server.answers.set('GET /networks/db', { json: network('db') });
    for (const path of ['containers/db/json', 'images/db/json']) {
      const code = path.startsWith('c') ? 'no-such-box' : 'no-such-image';
      server.answers.set(`GET /${path}`, { status: 404, json: { code, message: 'none' } });
    }
    const done = await transcript(socket, ['inspect', 'db']);
    expect(JSON.parse(done.stdout)).toEqual([network('db')]);
    const typed = await transcript(socket, ['inspect', '--type', 'network', 'db']);
    expect(typed.stdout).toBe(done.stdout);
  });
});

describe('network rm', () => {
  it.each([
    [['rm', 'db', 'web'], 0, 'db\nweb\n'],
    [['remove', 'nobody', 'db'], 1, 'db\n'],
    [['rm', '-f', 'nobody', 'db'], 0, 'db\n'],
    [['rm', '-f', 'used', 'db'], 1, 'db\n'],
  ])('answers %j as Docker does', async (args, status, stdout) => {
    const used = { code: 'network-in-use', message: 'network used has active endpoints' };
    for (const name of ['db', 'web']) server.answers.set(`DELETE /networks/${name}`, OK);
    server.answers.set('DELETE /networks/nobody', NO_SUCH);
    server.answers.set('DELETE /networks/used', { status: 403, json: used });
    // Docker's client asks for each network before it removes it.
    for (const name of ['db', 'web', 'used']) {
      server.answers.set(`GET /networks/${name}`, { json: network(name) });
    }
    server.answers.set('GET /networks/nobody', NO_SUCH);
    expect(await theirs(args)).toMatchObject({ code: status, stdout });
    expect(await a3s(args)).toMatchObject({ status, stdout });
  });
});

describe('network prune', () => {
  it.each([
    [['-f'], ''],
    [[], 'y\n'],
    [[], 'n\n'],
    [['-f', '--filter', 'until=24h', '--filter', 'label!=keep'], ''],
  ])("%j answered with %j is Docker's", async (args, answer) => {
    server.answers.set('POST /networks/prune', { json: { NetworksDeleted: ['a', 'b'] } });
    const shown = await theirs(['prune', ...args], answer);
    const asked = server.called('POST /networks/prune') !== undefined;
    server.calls.length = 0;
    const done = await a3s(['prune', ...args], answer);
    expect(done.stdout).toBe(shown.stdout.replace('one container.', 'one box.'));
    expect(done.status).toBe(shown.code);
    expect(server.called('POST /networks/prune') !== undefined).toBe(asked);
  });

  it('prints nothing where nothing was removed', async () => {
    server.answers.set('POST /networks/prune', { json: { NetworksDeleted: null } });
    expect(await a3s(['prune', '-f'])).toMatchObject({ status: 0, stdout: '' });
  });
});

describe('network connect and disconnect', () => {
  it('sends the box with its aliases and its address', async () => {
    server.answers.set('POST /networks/db/connect', OK);
    const args = ['connect', '--alias', 'a', '--ip', '10.1.2.3', '--gw-priority', '2', 'db', 'box'];
    expect(await a3s(args)).toMatchObject({ status: 0, stdout: '' });
    expect(JSON.parse(server.calls.at(-1)?.body ?? '')).toEqual({
      Container: 'box',
      EndpointConfig: {
        ...{ Aliases: ['a'], IPAMConfig: { IPv4Address: '10.1.2.3' } },
        GwPriority: 2,
      },
    });
    expect(await a3s(['connect', '--link', 'main:db', 'db', 'box'])).toMatchObject({ status: 0 });
    expect(JSON.parse(server.calls.at(-1)?.body ?? '')).toMatchObject({
      EndpointConfig: { Links: ['main:db'] },
    });
    const more = ['--driver-opt', 'a=b', '--link-local-ip', '169.254.8.8'];
    expect(await a3s(['connect', ...more, 'db', 'box'])).toMatchObject({ status: 0 });
    expect(JSON.parse(server.calls.at(-1)?.body ?? '')).toMatchObject({
      EndpointConfig: { DriverOpts: { a: 'b' }, IPAMConfig: { LinkLocalIPs: ['169.254.8.8'] } },
    });
    server.answers.set('POST /networks/db/disconnect', OK);
    expect(await a3s(['disconnect', '-f', 'db', 'box'])).toMatchObject({ status: 0, stdout: '' });
    expect(JSON.parse(server.calls.at(-1)?.body ?? '')).toEqual({ Container: 'box', Force: true });
  });

  it.each(['connect', 'disconnect'])(
    'gives the reason for which the server refuses to %s',
    async (verb) => {
      const json = { code: 'conflict', message: 'the box is paused' };
      server.answers.set(`POST /networks/db/${verb}`, { status: 409, json });
      expect(await a3s([verb, 'db', 'box'])).toMatchObject({
        ...{ status: 1, stderr: 'a3s-box: the box is paused (conflict)\n' },
      });
    },
  );
});

const OK = { status: 204 };

const namesOf = (text: string): string[] =>
  JSON.parse(text).map(({ Name }: { Name: string }) => Name);

/** Docker's client writes several subnets in any order. */
function withSortedSubnets({ IPAM, ...body }: ReturnType<typeof NetworkCreateBody.parse>) {
  const Config = [...IPAM.Config].sort((a, b) => (a.Subnet < b.Subnet ? -1 : 1));
  return { ...body, IPAM: { ...IPAM, Config } };
}
