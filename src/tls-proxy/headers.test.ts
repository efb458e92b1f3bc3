import { expect, it } from 'vitest';
import { endToEnd } from './headers.ts';

it('leaves out what is about one connection, by its name and by what the headers name', () => {
  const passed = { host: 'a.test', 'content-length': '3', 'set-cookie': ['a=1', 'b=2'] };
  const dropped = {
    ...{ 'keep-alive': 'timeout=5', te: 'trailers', trailer: 'x-sum', upgrade: 'h2c' },
    ...{ 'transfer-encoding': 'chunked', 'http2-settings': 'AAM', expect: '100-continue' },
    ...{ 'proxy-authorization': 'Basic eA==', 'proxy-connection': 'close' },
    ...{ connection: 'close, X-Hop', 'x-hop': '1', absent: undefined },
  };
  expect(endToEnd({ ...passed, ...dropped })).toEqual(passed);
  expect(endToEnd({ connection: ['x-one', 'x-two'], 'x-one': '1', 'x-two': '2' })).toEqual({});
});

it('passes the length of a body on even where the headers name it as of the connection', () => {
  const named = { connection: 'close, Content-Length', 'content-length': '3' };
  expect(endToEnd(named)).toEqual({ 'content-length': '3' });
});
