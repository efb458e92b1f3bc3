import type { LookupFunction } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Answer, FaultServer } from '../testing/fault-server.ts';
import {
  afterPing,
  bodyOf,
  GET,
  ok,
  redirectTo,
  TransportBench,
} from '../testing/transport-bench.ts';
import type { Transport } from './transport.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

const portOf = ({ host }: FaultServer): string => host.split(':')[1] ?? '';

/**
 * A resolver that returns the addresses of a name one after the other, and then always the last.
 */
function resolver(names: Record<string, readonly string[]>) {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, _, callback) => {
    const addresses = names[hostname] ?? [];
    const address = addresses[asked.filter((name) => name === hostname).length] ?? addresses.at(-1);
    asked.push(hostname);
    if (address === undefined) return callback(new Error(`${hostname} was looked up`), []);
    callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
  };
  return { lookup, asked };
}

/** A registry that appears to be on another host, since only a proxy reaches it. */
async function registryElsewhere(answer: Answer, names: Record<string, readonly string[]> = {}) {
  const proxy = await bench.plain(answer);
  const { lookup, asked } = resolver(names);
  const transport = bench.to('plain.test', {
    registries: { 'plain.test': { insecure: true } },
    proxies: {
      HTTP_PROXY: proxy.url,
      HTTPS_PROXY: 'http://127.0.0.1:1',
      NO_PROXY: '*.direct.test,*.localhost,0.0.0.0/0,::/0',
    },
    lookup,
  });
  return { transport, asked };
}

async function refusal(transport: Transport): Promise<unknown> {
  return transport.send(GET).catch((error: unknown) => error);
}

const REFUSED = {
  code: 'registry-failed',
  message: expect.stringMatching(
    /^Cannot use the answer of plain\.test: it leads to .* of this host$/,
  ),
};

const afterPingTo =
  (answer: Answer): Answer =>
  (request, response) => {
    if (request.url?.endsWith('/v2/') === true) response.end();
    else answer(request, response);
  };

const challengeWith = (realm: string): Answer =>
  afterPingTo((_, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
  });

describe('a registry on another host', () => {
  it.each([
    ['127.0.0.1'],
    ['127.1'],
    ['[::ffff:127.0.0.1]'],
    ['0.0.0.0'],
    ['localhost'],
    ['inner.direct.test'],
    ['mapped.direct.test'],
  ])('refuses a redirect from another host to this host by the name %s', async (name) => {
    const inner = await bench.plain(ok);
    const names = {
      localhost: ['127.0.0.1'],
      'inner.direct.test': ['127.0.0.1'],
      'mapped.direct.test': ['::ffff:127.0.0.1'],
    };
    const url = `http://${name}:${portOf(inner)}/admin`;
    const redirecting = await registryElsewhere(afterPingTo(redirectTo(url)), names);
    expect(await refusal(redirecting.transport)).toMatchObject(REFUSED);
    const challenging = await registryElsewhere(challengeWith(url), names);
    expect(await refusal(challenging.transport)).toMatchObject(REFUSED);
    expect(inner.requests).toHaveLength(0);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data'],
    ['http://[fe80::1]/'],
    ['http://[::1]:1/'],
    ['http://[::]:1/'],
  ])('refuses a redirect from another host to the link-local or host address %s', async (url) => {
    const { transport } = await registryElsewhere(afterPingTo(redirectTo(url)));
    expect(await refusal(transport)).toMatchObject(REFUSED);
  });

  it('refuses a name that resolves to another address the second time', async () => {
    const inner = await bench.plain(ok);
    const url = `http://rebound.direct.test:${portOf(inner)}/`;
    const names = { 'rebound.direct.test': ['127.0.0.1', '192.0.2.1'] };
    const { transport, asked } = await registryElsewhere(afterPingTo(redirectTo(url)), names);
    expect(await refusal(transport)).toMatchObject(REFUSED);
    // The transport connects to the resolved address, so it resolves the name once.
    expect(asked).toEqual(['rebound.direct.test']);
    expect(inner.requests).toHaveLength(0);
  });

  it('refuses upload locations on this host from a registry on another host', async () => {
    const inner = await bench.plain(ok);
    const { transport } = await registryElsewhere(afterPingTo(ok));
    await expect(
      transport.send({ ...GET, method: 'PATCH', target: new URL(`${inner.url}/upload`) }),
    ).rejects.toMatchObject(REFUSED);
    expect(inner.requests).toHaveLength(0);
  });
});

describe('a registry on this host', () => {
  it('follows a redirect from this host to this host, but not to link-local addresses', async () => {
    const other = await bench.plain(ok);
    const registry = await bench.plain(afterPing(redirectTo(other.url)));
    expect(await bodyOf(bench.to(registry.host))).toBe('ok');
    const linking = await bench.plain(afterPing(redirectTo('http://169.254.169.254/')));
    await expect(bench.to(linking.host).send(GET)).rejects.toMatchObject({
      code: 'registry-failed',
    });
  });

  it('recognises a registry on this host by the address of its name', async () => {
    const other = await bench.plain(ok);
    const registry = await bench.plain(afterPing(redirectTo(other.url)));
    const name = `name.test:${portOf(registry)}`;
    const { lookup } = resolver({ 'name.test': ['127.0.0.1'] });
    const transport = bench.to(name, { registries: { [name]: { insecure: true } }, lookup });
    expect(await bodyOf(transport)).toBe('ok');
    expect(other.requests).toHaveLength(1);
  });
});

describe('a mirror on another host', () => {
  it('skips a mirror that redirects to this host, and asks the registry', async () => {
    const inner = await bench.plain(ok);
    const origin = await bench.plain(ok);
    const proxy = await bench.plain(redirectTo(`${inner.url}/admin`));
    const transport = bench.to(origin.host, {
      registries: {
        [origin.host]: { mirrors: ['http://mirror.test'] },
        'mirror.test': { insecure: true },
      },
      proxies: { HTTP_PROXY: proxy.url },
    });
    expect(await bodyOf(transport)).toBe('ok');
    expect(proxy.requests).toHaveLength(1);
    expect(inner.requests).toHaveLength(0);
  });
});
