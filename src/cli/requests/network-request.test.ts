import { describe, expect, it } from 'vitest';
import { transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';

const { server, socket } = serveFake();

async function created(...args: string[]) {
  const done = await transcript(socket, ['create', ...args, 'img']);
  expect(done).toMatchObject({ status: 0, stderr: '' });
  const { HostConfig, NetworkingConfig } = JSON.parse(server.calls.at(-1)?.body ?? '');
  const { NetworkMode: mode, Links: links } = HostConfig;
  return { mode, endpoints: NetworkingConfig?.EndpointsConfig, links };
}

describe('the network of a box', () => {
  it.each([
    [[], 'default', undefined],
    [['--network', 'bridge'], 'default', undefined],
    [['--net=none'], 'none', undefined],
    [['--network', 'db'], 'db', undefined],
    [['--network', 'name=db'], 'db', undefined],
    [
      ['--network', 'db', '--network-alias', 'a', '--net-alias', 'b', '--ip', '10.1.2.3'],
      'db',
      { db: { Aliases: ['a', 'b'], IPAMConfig: { IPv4Address: '10.1.2.3' } } },
    ],
    [
      ['--network', 'name=db,alias=a,alias=b,ip=10.1.2.3,mac-address=02:00:00:00:00:01'],
      'db',
      {
        db: {
          ...{ Aliases: ['a', 'b'], IPAMConfig: { IPv4Address: '10.1.2.3' } },
          MacAddress: '02:00:00:00:00:01',
        },
      },
    ],
    [
      ['--mac-address', '02:00:00:00:00:01', '--network', 'name=db'],
      'db',
      { db: { MacAddress: '02:00:00:00:00:01' } },
    ],
    [
      ['--network', 'db', '--ip6', 'fd00::2', '--network', 'name=web,ip=10.1.2.3,ip6=fd01::2'],
      'db',
      {
        db: { IPAMConfig: { IPv6Address: 'fd00::2' } },
        web: { IPAMConfig: { IPv4Address: '10.1.2.3', IPv6Address: 'fd01::2' } },
      },
    ],
    [['--network', 'db', '--network', 'web'], 'db', { db: {}, web: {} }],
    [['--network', 'name=db,gw-priority=-3'], 'db', { db: { GwPriority: -3 } }],
    [
      ['--network', 'name=db,driver-opt=A.b=c=d,driver-opt=e='],
      'db',
      { db: { DriverOpts: { 'a.b': 'c=d', e: '' } } },
    ],
    [
      ['--network', 'name=db,link-local-ip=169.254.8.8', '--network=web'],
      'db',
      { db: { IPAMConfig: { LinkLocalIPs: ['169.254.8.8'] } }, web: {} },
    ],
    [
      ['--link-local-ip', '169.254.8.8', '--link-local-ip=169.254.8.9'],
      'default',
      { default: { IPAMConfig: { LinkLocalIPs: ['169.254.8.8', '169.254.8.9'] } } },
    ],
    // The server refuses this, with its reason.
    [['--network-alias', 'a'], 'default', { default: { Aliases: ['a'] } }],
  ])('sends the flags %j', async (args, mode, endpoints) => {
    expect(await created(...args)).toEqual({ mode, endpoints });
  });

  it('sends links, which are of the main network', async () => {
    expect(await created('--network', 'db', '--link', 'a', '--link', 'b:c')).toEqual({
      ...{ mode: 'db', endpoints: undefined, links: ['a', 'b:c'] },
    });
  });

  it.each([
    [['--network', 'host'], 'unsupported network host'],
    [['--network', 'name=container:x'], 'unsupported network container:x'],
    [['--network', 'name=db,driver-opt=a'], 'invalid key value pair in driver options'],
    [['--network', 'name=db,gw-priority=x'], 'invalid gw-priority x'],
    [['--network', 'name=db,ip='], 'invalid field ip='],
    [['--network', 'name=db,x'], 'invalid field x'],
    [['--network', 'name=db,color=red'], 'invalid field key color'],
    [['--network', 'alias=a'], 'network name/id is not specified'],
    [
      ['--network', 'name=db,alias=a', '--network-alias', 'b'],
      'conflicting options: cannot specify both --network-alias and per-network alias',
    ],
    [
      ['--network', 'name=db,ip=10.1.2.3', '--ip', '10.1.2.4'],
      'conflicting options: cannot specify both --ip and per-network IPv4 address',
    ],
    [
      ['--network', 'name=db,mac-address=02:00:00:00:00:01', '--mac-address', 'x'],
      'conflicting options: cannot specify both --mac-address and per-network MAC address',
    ],
    [
      ['--network', 'name=db,ip6=fd00::2', '--ip6', 'fd00::3'],
      'conflicting options: cannot specify both --ip6 and per-network IPv6 address',
    ],
  ])('refuses %j before the server is asked', async (args, message) => {
    const done = await transcript(socket, ['create', ...args, 'img']);
    expect(done.stderr).toContain(message);
    expect(done.status).toBe(125);
    expect(server.log).toEqual([]);
  });
});
