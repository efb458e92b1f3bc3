import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  await home.call('POST', '/networks/create', {
    Name: 'db',
    IPAM: { Config: [{ Subnet: '10.1.2.0/24' }] },
    Options: { 'com.docker.network.driver.mtu': '1400' },
  });
});
afterEach(() => home.remove());

const attached = () => home.hostNetworks.attached;

async function started(name: string, host: object = {}): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], {
    HostConfig: { NetworkMode: 'db', ...host },
    NetworkingConfig: { EndpointsConfig: { db: { Aliases: [`${name}-alias`] } } },
  });
  await home.call('POST', `/containers/${id}/rename?name=${name}`);
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  return id;
}

describe('a box that runs in a user-defined network', () => {
  it('joins a box to its network on the host from its start to its end, with its names and ports', async () => {
    const id = await started('one', { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] } });
    expect(attached().get(id)).toMatchObject({
      names: ['one', 'one-alias', id.slice(0, 12)],
      network: { subnet: '10.1.2.0/24', gateway: '10.1.2.1', internal: false, mtu: 1400 },
      address: '10.1.2.2',
      ports: [{ hostIp: '127.0.0.1', boxPort: 80 }],
    });
    expect(home.host.launches.at(-1)?.nic).toMatchObject({ ports: [], tap: expect.any(Number) });
    expect(home.agents.get(id)?.spec?.network).toMatchObject({
      ...{ kind: 'nic', mtu: 1400, address: '10.1.2.2', prefixLength: 24 },
      ...{ gateway: '10.1.2.1', nameservers: ['10.1.2.1'] },
    });
    await home.call('POST', `/containers/${id}/kill`);
    await expect.poll(() => [...attached().keys()]).toEqual([]);
    expect(home.runtime.networks.endpointsOfBox(id)).toEqual([]);
  });

  it('resolves names as it was asked to', async () => {
    const id = await started('one', {
      ...{ Dns: ['9.9.9.9', 'fd00::9'], DnsSearch: ['example.com'], ExtraHosts: ['a:1.2.3.4'] },
    });
    expect(attached().get(id)).toMatchObject({
      nameservers: ['9.9.9.9', 'fd00::9'],
      host: undefined,
    });
    expect(home.agents.get(id)?.spec).toMatchObject({
      network: { nameservers: ['10.1.2.1'], search: ['example.com'], options: ['ndots:0'] },
      hosts: [{ name: 'a', address: '1.2.3.4' }],
    });
  });

  it('gives its address back where its start fails on the host, and says why', async () => {
    const id = await home.create(['x'], { HostConfig: { NetworkMode: 'db' } });
    home.hostNetworks.failure = new A3sError('network-failed', 'nft: no');
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      ...{ status: 500, body: { code: 'network-failed', message: 'nft: no' } },
    });
    expect(home.runtime.networks.endpointsOfBox(id)).toEqual([]);
    expect([...attached().keys()]).toEqual([]);
  });

  it('starts no program before its network is made', async () => {
    const id = await home.create(['sleep', 'infinity'], { HostConfig: { NetworkMode: 'db' } });
    let made: () => void = () => undefined;
    home.hostNetworks.making = () =>
      new Promise((resolve) => {
        made = resolve;
      });
    const start = home.call('POST', `/containers/${id}/start`);
    await expect.poll(() => home.agents.get(id)?.spec).toBeDefined();
    expect(home.runtime.store.expect(id).state.status).toBe('starting');
    made();
    expect(await start).toMatchObject({ status: 204 });
  });

  it('ends a microVM whose network could not be made meanwhile, and says why', async () => {
    const id = await home.create(['sleep', 'infinity'], { HostConfig: { NetworkMode: 'db' } });
    home.hostNetworks.making = async () => {
      throw new A3sError('network-failed', 'netavark: no');
    };
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      ...{ status: 500, body: { code: 'network-failed', message: 'netavark: no' } },
    });
    expect(home.host.launches).toHaveLength(1);
    expect(home.host.running).not.toContain(id);
    expect(home.runtime.networks.endpointsOfBox(id)).toEqual([]);
    expect([...attached().keys()]).toEqual([]);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('keeps a running box in its network while the server is replaced, and removes others then', async () => {
    const [kept, gone] = [await started('kept'), await started('gone')];
    await home.stop();
    home.host.vm(gone)?.panic();
    await home.start();
    await expect.poll(() => [...attached().keys()]).toEqual([kept]);
    expect(home.runtime.networks.endpointsOfBox(gone)).toEqual([]);
    expect(home.runtime.networks.endpointsOfBox(kept)).toHaveLength(1);
  });
});
