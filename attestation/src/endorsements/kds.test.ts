import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KdsClient, type KdsOptions } from './kds.ts';
import { crlDer, GENOA, MILAN, NOW, TURIN, vcekDer, vlekDer } from './testing/certificates.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { answer, type Behaviour, KdsServer } from './testing/kds-server.ts';
import { refusal } from './testing/refusal.ts';
import type { Fetch } from './transport/fetch.ts';
import { httpsFetch } from './transport/fetch.ts';
import type { KdsLimits } from './transport/transport.ts';
import { crlUrl, vcekUrl } from './urls.ts';
import type { VcekRequest } from './vcek-request.ts';

/**
 * Timeout of an attempt. Differs from every other wait, so that the fake clock can hold this one.
 */
const ATTEMPT = 15_001;

let server: KdsServer;
let clock: FakeClock;
beforeEach(async () => {
  server = await KdsServer.start();
  server.endorse(MILAN, GENOA, TURIN);
  clock = new FakeClock(NOW, [ATTEMPT]);
});
afterEach(() => server.stop());

function client(limits: Partial<KdsLimits> = {}, options: KdsOptions = {}): KdsClient {
  return new KdsClient({
    baseUrl: server.url,
    clock,
    limits: { attemptTimeout: ATTEMPT, ...limits },
    ...options,
  });
}

function waited(): number {
  return clock.time - NOW.getTime();
}

describe('KdsClient', () => {
  it('fetches VCEKs of all products', async () => {
    const kds = client();
    for (const request of [MILAN, GENOA, TURIN]) {
      const der = await kds.vcek(request);
      expect(der.length).toBeGreaterThan(1000);
      expect(server.requests.at(-1)).toBe(vcekUrl(request, ''));
    }
  });

  it('fetches certificate chains of two certificates', async () => {
    expect(await client().chain('VCEK', 'Milan')).toHaveLength(2);
    expect(await client().chain('VLEK', 'Turin')).toHaveLength(2);
    expect(server.requests).toEqual(['/vcek/v1/Milan/cert_chain', '/vlek/v1/Turin/cert_chain']);
  });

  it('fetches revocation lists', async () => {
    expect(await client().crl('VCEK', 'Milan')).toEqual(crlDer());
    expect(await client().crl('VLEK', 'Genoa')).toEqual(crlDer({ product: 'Genoa' }));
    expect(server.requests).toEqual(['/vcek/v1/Milan/crl', '/vlek/v1/Genoa/crl']);
  });

  it('asks the KDS of AMD by default', async () => {
    const urls: string[] = [];
    const fetch: Fetch = async (url) => {
      urls.push(url);
      return { status: 200, headers: new Headers(), body: crlDer() };
    };
    await new KdsClient({ fetch }).crl('VCEK', 'Milan');
    expect(urls).toEqual(['https://kdsintf.amd.com/vcek/v1/Milan/crl']);
    expect(new KdsClient()).toBeInstanceOf(KdsClient);
  });

  it('refuses a base URL that others can read', () => {
    expect(() => new KdsClient({ baseUrl: 'http://mirror.example' })).toThrow(RangeError);
  });
});

describe('the rate limit', () => {
  it('keeps the spacing between VCEK requests of all callers', async () => {
    const kds = client();
    await Promise.all([kds.vcek(MILAN), kds.vcek(GENOA), kds.vcek(TURIN)]);
    expect(waited()).toBe(20_000);
    await kds.crl('VCEK', 'Milan');
    await kds.chain('VCEK', 'Milan');
    expect(waited()).toBe(20_000);
  });

  it('makes one request for equal concurrent VCEK requests', async () => {
    const kds = client();
    const [one, other] = await Promise.all([kds.vcek(MILAN), kds.vcek(MILAN)]);
    expect(server.requests).toHaveLength(1);
    expect(one).toEqual(other);
    one.fill(0);
    expect(other).not.toEqual(one);
  });

  it('refuses a caller that would have to wait longer than its timeout', async () => {
    const kds = client({ timeout: 5_000 });
    await kds.vcek(MILAN);
    const error = await refusal(() => kds.vcek(GENOA));
    expect(error.code).toBe('kds-rate-limited');
    expect(server.requests).toHaveLength(1);
  });

  it('waits as long as the Retry-After of a 429 says', async () => {
    server.script.push(answer('', 429, { 'retry-after': '7' }));
    await client().crl('VCEK', 'Milan');
    expect(waited()).toBe(7_000);
    expect(server.requests).toHaveLength(2);
  });

  it('waits until the date in the Retry-After of a 429', async () => {
    server.script.push(answer('', 429, { 'retry-after': 'Sun, 01 Mar 2026 12:00:30 GMT' }));
    await client().vcek(MILAN);
    expect(waited()).toBe(30_000);
  });

  it('waits ten seconds after a 429 without a valid Retry-After', async () => {
    server.script.push(answer('', 429), answer('', 429, { 'retry-after': 'soon' }));
    await client().crl('VCEK', 'Milan');
    expect(waited()).toBe(20_000);
  });

  it('waits at least the backoff after a 429', async () => {
    server.script.push(...Array.from({ length: 5 }, () => answer('', 429, { 'retry-after': '0' })));
    await client().crl('VCEK', 'Milan');
    expect(waited()).toBe(5_000);
  });

  it('reports when to try again without waiting where the turn would come too late', async () => {
    server.script.push(answer('', 429, { 'retry-after': '300' }));
    const kds = client();
    const error = await refusal(() => kds.vcek(MILAN));
    expect(error.code).toBe('kds-rate-limited');
    expect(error.message).toContain('2026-03-01T12:05:00.000Z');
    expect(waited()).toBe(0);
    expect((await refusal(() => kds.crl('VCEK', 'Milan'))).code).toBe('kds-rate-limited');
    expect(server.requests).toHaveLength(1);
    clock.time += 300_000;
    expect(await kds.vcek(MILAN)).toBeInstanceOf(Uint8Array);
  });

  it('limits the wait that a 429 demands to an hour', async () => {
    server.script.push(answer('', 429, { 'retry-after': '99999999' }));
    const error = await refusal(() => client().vcek(MILAN));
    expect(error.message).toContain('2026-03-01T13:00:00.000Z');
  });
});

describe('an unknown VCEK', () => {
  it('reports an unknown VCEK at once, with what to check', async () => {
    const request = { ...TURIN, tcb: { ...TURIN.tcb, snp: 3 } };
    const error = await refusal(() => client().vcek(request));
    expect(error.code).toBe('kds-not-found');
    expect(error.found).toBe('Turin, chip 3b42092f69c656d3, fmc 1, bl 1, tee 1, snp 3, ucode 81');
    expect(error.remedy).toContain('Turin takes the first 8 bytes');
    expect(server.requests).toHaveLength(1);
    expect(waited()).toBe(0);
  });

  it('distinguishes a missing VCEK from a mirror that lacks the files of every product', async () => {
    server.script.push(answer('', 404));
    const error = await refusal(() => client().crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-not-found');
    expect(error.remedy).toContain('mirror');
  });
});

describe('a service that fails', () => {
  it('repeats a request after a 500, later each time', async () => {
    server.script.push(answer('', 500), answer('', 503));
    expect(await client().crl('VCEK', 'Milan')).toEqual(crlDer());
    expect(clock.sleeps.filter((time) => time > 0)).toEqual([1_000, 2_000]);
  });

  it('gives up after three failed attempts', async () => {
    server.script.push(answer('', 500), answer('', 500), answer('', 502));
    const error = await refusal(() => client().crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-unreachable');
    expect(error.found).toBe('status 502');
    expect(server.requests).toHaveLength(3);
  });

  it('repeats a VCEK request only when its turn comes', async () => {
    server.script.push(answer('', 500));
    await client().vcek(MILAN);
    expect(waited()).toBe(10_000);
  });

  it('repeats a VCEK request after the backoff alone where there was no answer', async () => {
    server.script.push((response) => response.destroy());
    const kds = client();
    await kds.vcek(MILAN);
    expect(waited()).toBe(1_000);
    server.script.push((response) => response.destroy(), answer('', 429));
    await kds.vcek(GENOA);
    expect(waited()).toBe(21_000);
  });

  it('gives a VCEK request up when its next turn would come after its timeout', async () => {
    server.script.push(answer('', 500));
    const error = await refusal(() => client({ timeout: 5_000 }).vcek(MILAN));
    expect(error.code).toBe('kds-unreachable');
    expect(error.found).toBe('status 500');
    expect(waited()).toBe(0);
  });

  it('does not ask the service again after the timeout of the call', async () => {
    server.script.push(answer('', 500));
    const error = await refusal(() => client({ timeout: 999 }).crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-unreachable');
    expect(server.requests).toHaveLength(1);
  });

  it.each<[string, Behaviour]>([
    ['closed the connection', (response) => response.destroy()],
    ['reset the connection', (_, { socket }) => socket.resetAndDestroy()],
    ['broke off', (response) => response.write('abc', () => response.destroy())],
    ['spoke no HTTP', (_, { socket }) => socket.end('hello\r\n')],
  ])('repeats a request when the service %s', async (_, behaviour) => {
    server.script.push(behaviour);
    expect(await client().crl('VCEK', 'Milan')).toEqual(crlDer());
    expect(server.requests).toHaveLength(2);
  });

  it('reports a service where nothing listens as unreachable', async () => {
    const { url } = server;
    const refused = { baseUrl: url };
    await server.stop();
    const error = await refusal(() => client({}, refused).crl('VCEK', 'Milan'));
    server = await KdsServer.start();
    expect(error.code).toBe('kds-unreachable');
    expect(error.message).toContain(url);
    expect(error.found).toContain('ECONNREFUSED');
  });

  it('reports a fetch function that throws a string as an unreachable service', async () => {
    const fetch: Fetch = () => {
      throw 'no';
    };
    const error = await refusal(() => client({}, { fetch }).crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-unreachable');
    expect(error.found).toBe('no');
  });
});

describe('a slow service', () => {
  it('gives up an attempt when the service never answers', async () => {
    server.script.push(...Array.from({ length: 3 }, () => () => clock.wake()));
    const error = await refusal(() => client().crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-unreachable');
    expect(error.found).toBe(`There was no answer within ${ATTEMPT} ms.`);
    expect(server.requests).toHaveLength(3);
  });

  it('gives up an attempt when an answer never ends', async () => {
    server.script.push((response) => {
      response.write(crlDer().subarray(0, 10), () => clock.wake());
    });
    expect(await client().crl('VCEK', 'Milan')).toEqual(crlDer());
    await server.closed[0];
    expect(clock.sleepers).toBe(0);
  });

  it('gives up an attempt when an answer arrives byte by byte', async () => {
    const trickle: Behaviour = (response) => {
      let pieces = 0;
      const timer = setInterval(() => {
        response.write('a');
        pieces += 1;
        if (pieces === 3) clock.wake();
      }, 1);
      response.on('close', () => clearInterval(timer));
    };
    server.script.push(trickle, trickle, trickle);
    const error = await refusal(() => client().crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-unreachable');
    await Promise.all(server.closed);
  });

  it('ends a request at once when the caller aborts', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    server.script.push(() => abort.abort(reason));
    await expect(client().crl('VCEK', 'Milan', abort.signal)).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  it('ends a request when the caller aborts between two attempts', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const fetch: Fetch = async () => {
      abort.abort(reason);
      throw new Error('reset');
    };
    const call = client({}, { fetch }).vcek(MILAN, abort.signal);
    await expect(call).rejects.toBe(reason);
    const chain = client().chain('VCEK', 'Milan', abort.signal);
    await expect(chain).rejects.toBe(reason);
  });
});

describe('a wrong answer', () => {
  const otherChip: VcekRequest = { ...MILAN, chipId: 'c4'.repeat(64) };
  const otherTcb: VcekRequest = { ...MILAN, tcb: { ...MILAN.tcb, snp: 23 } };

  it.each<[string, Uint8Array | string, number?]>([
    ['a page', '<!doctype html><html></html>'],
    ['nothing', ''],
    ['half a certificate', vcekDer(MILAN).subarray(0, 700)],
    ['two certificates', new Uint8Array([...vcekDer(MILAN), ...vcekDer(MILAN)])],
    ['the certificate of another chip', vcekDer(otherChip)],
    ['the certificate of another TCB', vcekDer(otherTcb)],
    ['the certificate of another product', vcekDer({ ...MILAN, product: 'Genoa' })],
    ['the certificate of a VLEK', vlekDer('Milan')],
    ['a revocation list', crlDer()],
    ['a longer body than any certificate', new Uint8Array(65_537)],
    ['no content', '', 204],
    ['a redirect', '', 301],
    ['a missing permission', '', 403],
  ])('refuses an answer to a VCEK request: %s', async (_, body, status = 200) => {
    server.script.push(answer(body, status, status === 301 ? { location: server.url } : {}));
    const error = await refusal(() => client().vcek(MILAN));
    expect(error.code).toBe('kds-response');
    expect(server.requests).toHaveLength(1);
  });

  it('reports the expected and the received certificate of a wrong answer', async () => {
    server.script.push(answer(vcekDer(otherTcb)));
    const error = await refusal(() => client().vcek(MILAN));
    expect(error.expected).toContain('snp 24');
    expect(error.found).toContain('snp 23');
  });

  it.each<[string, Uint8Array | string]>([
    ['a page', '<html></html>'],
    ['the list of another product', crlDer({ product: 'Genoa' })],
    ['half a list', crlDer().subarray(0, 300)],
    ['a certificate', vcekDer(MILAN)],
    ['a longer body than any list', new Uint8Array(1024 * 1024 + 1)],
  ])('refuses an answer to a request for a revocation list: %s', async (_, body) => {
    server.script.push(answer(body));
    expect((await refusal(() => client().crl('VCEK', 'Milan'))).code).toBe('kds-response');
  });

  it('refuses a page as the answer to a request for a chain', async () => {
    server.script.push(answer('<html></html>'));
    expect((await refusal(() => client().chain('VCEK', 'Milan'))).code).toBe('kds-response');
  });

  it('refuses an answer that is too long even when the fetch function returns it', async () => {
    const fetch: Fetch = async (url, options) => {
      const response = await httpsFetch(url, { ...options, maxBytes: Number.MAX_SAFE_INTEGER });
      return response;
    };
    server.publish(crlUrl('VCEK', 'Milan', ''), new Uint8Array(1024 * 1024 + 1));
    const error = await refusal(() => client({}, { fetch }).crl('VCEK', 'Milan'));
    expect(error.code).toBe('kds-response');
    expect(error.expected).toBe('at most 1048576 bytes');
  });
});
