import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  for (const [Name, third] of [
    ['db', 2],
    ['web', 3],
  ] as const) {
    const IPAM = { Config: [{ Subnet: `10.1.${third}.0/24` }] };
    await home.call('POST', '/networks/create', { Name, IPAM });
  }
});
afterEach(() => home.remove());

const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };

async function started(mode: string, HostConfig: object = {}): Promise<string> {
  const host = { NetworkMode: mode, ...HostConfig };
  const id = await home.create(['sleep', 'infinity'], { HostConfig: host });
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  return id;
}

type Step = 'attach' | 'detach' | 'publish';

/**
 * Kills the server while it asks the host for a step of a change, before or after the host has done
 * it. What comes after it is done by nobody.
 */
async function killedIn(
  step: Step,
  { isDone }: { isDone: boolean },
  ask: () => Promise<unknown>,
): Promise<void> {
  const { hostNetworks } = home;
  const known = { [step]: hostNetworks[step], detach: hostNetworks.detach };
  let die = (_: Error): void => undefined;
  const death = new Promise<never>((_, reject) => {
    die = reject;
  });
  const reached = new Promise<void>((resolve) => {
    const replaced = async (...args: unknown[]): Promise<never> => {
      if (isDone) await (known[step] as (...all: unknown[]) => unknown).apply(hostNetworks, args);
      resolve();
      return await death;
    };
    Object.assign(hostNetworks, { [step]: replaced });
  });
  ask().catch(() => undefined);
  await reached;
  Object.assign(hostNetworks, { detach: () => death });
  const crashed = home.crash();
  die(new Error('the server was killed'));
  await crashed;
  Object.assign(hostNetworks, known);
}

const change =
  (verb: 'connect' | 'disconnect', network: string, Container: string) => (): Promise<unknown> =>
    home.call('POST', `/networks/${network}/${verb}`, { Container });
const placesOf = (id: string) => home.hostNetworks.placesOf(id);
const inOrder = (id: string) =>
  expect.poll(() => home.runtime.store.get(id)?.state.changesNetworks).toBe(undefined);

describe('a server that is killed while it changes the networks of a box that runs', () => {
  it('leaves the next one to take the box out of a network that it was on its way into', async () => {
    const Container = await started('db', { PortBindings });
    await killedIn('attach', { isDone: true }, change('connect', 'web', Container));
    await home.start();
    await inOrder(Container);
    expect(placesOf(Container)).toMatchObject([{ address: '10.1.2.2', ports: [{ boxPort: 80 }] }]);
    expect(home.runtime.networks.endpointsOfBox(Container)).toHaveLength(1);
    expect(home.agents.get(Container)?.networks?.cards).toMatchObject([{ device: 'eth0' }]);
    expect(home.host.vm(Container)?.detached).toContain(1);
    expect(home.host.vm(Container)?.detached).not.toContain(0);
    expect(await home.call('POST', '/networks/web/connect', { Container })).toMatchObject({
      status: 200,
    });
  });

  it('leaves the next one to take the card and the ports from a network that it was leaving', async () => {
    const Container = await started('db', { PortBindings });
    await home.call('POST', '/networks/web/connect', { Container });
    await killedIn('detach', { isDone: true }, change('disconnect', 'db', Container));
    await home.start();
    await inOrder(Container);
    expect(placesOf(Container)).toMatchObject([{ address: '10.1.3.2', ports: [{ boxPort: 80 }] }]);
    expect(home.agents.get(Container)?.networks).toMatchObject({
      ...{ cards: [{ device: 'eth1' }], gateway: { device: 'eth1' } },
    });
    expect(home.host.vm(Container)?.detached).toContain(0);
    const { body } = await home.call('GET', `/containers/${Container}/json`);
    expect(body).toMatchObject({
      NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '127.0.0.1' }] } },
    });
  });

  it('leaves the next one to publish the ports of a box that it was connecting', async () => {
    const Container = await started('db', { PortBindings });
    await home.call('POST', '/networks/db/disconnect', { Container });
    await killedIn('publish', { isDone: true }, change('connect', 'web', Container));
    await home.start();
    await inOrder(Container);
    expect(placesOf(Container)).toMatchObject([{ ports: [{ boxPort: 80 }] }]);
    expect(home.runtime.store.get(Container)?.state.ports).toMatchObject([{ boxPort: 80 }]);
  });

  it('takes away no card and no port of the network that a box has to itself', async () => {
    const Container = await started('bridge', { PortBindings });
    await home.call('POST', '/networks/web/connect', { Container });
    await killedIn('detach', { isDone: true }, change('disconnect', 'web', Container));
    await home.start();
    await inOrder(Container);
    expect(placesOf(Container)).toEqual([]);
    expect(home.agents.get(Container)?.networks?.cards).toMatchObject([{ device: 'eth0' }]);
    expect(home.host.vm(Container)?.detached).toContain(1);
    expect(home.host.vm(Container)?.detached).not.toContain(0);
    expect(home.runtime.store.get(Container)?.state.ports).toHaveLength(1);
  });

  it('leaves the next one to put a box in order when it is unpaused', async () => {
    const Container = await started('db');
    await killedIn('attach', { isDone: true }, change('connect', 'web', Container));
    await home.start();
    await inOrder(Container);
    const vm = home.host.vm(Container);
    home.runtime.store.amend(Container, { changesNetworks: true });
    await home.call('POST', `/containers/${Container}/pause`);
    await home.crash();
    vm?.detached.splice(0);
    await home.start();
    const isMarked = () => home.runtime.store.get(Container)?.state.changesNetworks;
    // In turn with the reconciliation after adoption.
    await home.runtime.locks.run(Container, async () => undefined);
    expect([isMarked(), vm?.detached]).toEqual([true, []]);
    expect(await home.call('POST', `/containers/${Container}/unpause`)).toMatchObject({
      status: 204,
    });
    expect(isMarked()).toBe(undefined);
    expect(vm?.detached).toContain(1);
    expect(vm?.detached).not.toContain(0);
    vm?.detached.splice(0);
    await home.call('POST', `/containers/${Container}/pause`);
    await home.call('POST', `/containers/${Container}/unpause`);
    expect(vm?.detached).toEqual([]);
  });

  it('puts a box that others are linked to into the network of its links', async () => {
    const target = await started('bridge');
    await home.call('POST', `/containers/${target}/rename?name=store`);
    const linker = await home.create(['sleep', 'infinity'], {
      HostConfig: { Links: ['store:db'] },
    });
    const start = () => home.call('POST', `/containers/${linker}/start`);
    await killedIn('attach', { isDone: false }, start);
    await home.start();
    await inOrder(target);
    expect(await start()).toMatchObject({ status: 204 });
    expect(placesOf(target)).toHaveLength(1);
    expect([...(home.host.vm(target)?.cards.keys() ?? [])]).toEqual([1]);
    expect(home.agents.get(target)?.networks?.cards).toHaveLength(2);
  });
});
