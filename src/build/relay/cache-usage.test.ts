import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Builder } from '../builder.ts';
import { cacheUsage } from './cache-usage.ts';

let server: Server;
let answer: unknown;
let asked: string[];

beforeEach(async () => {
  asked = [];
  server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
});

function usage() {
  const unused = () => {
    throw new Error('no proxy is served');
  };
  const builder: Builder = {
    ...{
      name: 'default',
      authority: { certificate: '', privateKey: '' },
      image: 'image',
      cacheDisk: 'disk',
      keptBytes: 1000,
    },
    ...{ serveProxy: unused, serveStepProxy: unused, stepProxy: '', blobArchive: unused },
    dial: async () => {
      const connection = connect((server.address() as AddressInfo).port, '127.0.0.1');
      await once(connection, 'connect');
      return connection;
    },
  };
  return cacheUsage(builder, new AbortController().signal);
}

const RECORD = {
  ...{ ID: 'ab12', Parents: ['cd34'], Type: 'regular', Description: 'mount / from exec' },
  ...{ InUse: false, Shared: true, Size: 7, UsageCount: 2 },
  ...{ CreatedAt: '2026-11-30T12:00:00.123456789Z', LastUsedAt: '2026-11-30T12:00:00Z' },
};

it('lists the records of the cache alone, as Docker’s API has them', async () => {
  answer = { LayersSize: 5, BuildCache: [RECORD, { ...RECORD, Parents: null, LastUsedAt: null }] };
  const { Parents, ...orphan } = RECORD;
  expect(Parents).toHaveLength(1);
  expect(await usage()).toEqual([RECORD, { ...orphan, LastUsedAt: null }]);
  expect(asked).toEqual(['GET /system/df?type=build-cache']);
  answer = { BuildCache: null };
  expect(await usage()).toEqual([]);
});

it('takes no control characters from a builder, and no text without a bound', async () => {
  answer = { BuildCache: [{ ...RECORD, Description: `a\u001b[31m\u202e${'x'.repeat(5000)}` }] };
  const [record] = await usage();
  expect(record?.Description).toMatch(/^a \[31m x+$/);
  expect(record?.Description.length).toBeLessThanOrEqual(1000);
});

it.each([
  ['an id of another form', { ...RECORD, ID: '../x' }],
  ['a size below zero', { ...RECORD, Size: -1 }],
  ['a time that is none', { ...RECORD, CreatedAt: 'now' }],
])('refuses %s', async (_, record) => {
  answer = { BuildCache: [record] };
  await expect(usage()).rejects.toMatchObject({ code: 'builder-failed' });
});
