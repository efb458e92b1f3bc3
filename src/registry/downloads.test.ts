import type { LookupFunction } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type Downloads, openDownloads } from './downloads.ts';
import { readProxies } from './hosts/proxies.ts';
import type { AddressRule } from './http/address-guard.ts';

let downloads: Downloads;
afterEach(() => downloads.close());

const lookup: LookupFunction = (_, __, found) => found(null, [{ address: '10.0.0.1', family: 4 }]);
const FILES = { certsDirectories: [], registriesFiles: [] };
const refusing: AddressRule = { id: 'none', refusal: (address) => `${address ?? 'it'} is refused` };

const send = (url: string, addresses: AddressRule): Promise<unknown> =>
  downloads
    .send({
      ...{ method: 'GET', url: new URL(url), headers: {}, addresses },
      signal: new AbortController().signal,
    })
    .catch((error: unknown) => error);

it('reaches no address that the rule of a request refuses', async () => {
  downloads = openDownloads({ ...FILES, lookup });
  for (const url of ['http://files.test/x', 'http://10.0.0.1/x', 'https://files.test/x']) {
    expect(await send(url, refusing)).toMatchObject({
      code: 'registry-failed',
      message: `Cannot reach ${url}: 10.0.0.1 is refused`,
    });
  }
});

it('asks the rule where a proxy finds the address, and tells it an address that is in the URL', async () => {
  const proxies = readProxies({ HTTP_PROXY: 'http://127.0.0.1:1' });
  downloads = openDownloads({ ...FILES, lookup, proxies });
  for (const [host, words] of [
    ['files.test', 'it is refused'],
    ['10.0.0.1', '10.0.0.1 is refused'],
  ]) {
    expect(await send(`http://${host}/`, refusing)).toMatchObject({
      message: `Cannot reach http://${host}/: ${words}`,
    });
  }
});
