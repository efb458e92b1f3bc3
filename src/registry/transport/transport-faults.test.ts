import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Answer } from '../testing/fault-server.ts';
import { afterPing, bodyOf, GET, ok, PULL, TransportBench } from '../testing/transport-bench.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

describe('a registry that is slow or broken', () => {
  const hang: Answer = () => undefined;
  it('gives up a registry that never answers', async () => {
    const { host } = await bench.plain(afterPing(hang));
    const limits = { attempts: 1, headersMs: 200 };
    await expect(bench.to(host, { limits }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('it took too long to answer'),
    });
  });

  it('gives up a registry that sends its head byte by byte', async () => {
    const { host } = await bench.plain(
      afterPing((_, { socket }) => {
        socket?.write('HTTP/1.1 200 OK\r\nX-Drip: ');
        const timer = setInterval(() => socket?.write('x'), 20);
        socket?.once('close', () => clearInterval(timer)).on('error', () => undefined);
      }),
    );
    const limits = { attempts: 1, headersMs: 200 };
    await expect(bench.to(host, { limits }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('it took too long to answer'),
    });
  });

  it('gives up a registry whose head is too long', async () => {
    const { host } = await bench.plain(
      afterPing((_, { socket }) => {
        socket?.on('error', () => undefined);
        socket?.write(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`);
      }),
    );
    await expect(bench.to(host, { limits: { attempts: 1 } }).send(GET)).rejects.toMatchObject({
      message: expect.stringContaining('the head of its answer is too long'),
    });
  });

  it('fails when the body of an answer stalls or is cut', async () => {
    const { host } = await bench.plain(
      afterPing((request, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('five.');
        if (request.url?.endsWith('cut') === true) setTimeout(() => response.destroy(), 20);
      }),
    );
    for (const [name, reason] of [
      ['stall', 'its answer stalled'],
      ['cut', 'the connection was cut'],
    ]) {
      const sent = bodyOf(bench.to(host, { limits: { stallMs: 200 } }), {
        ...GET,
        target: `team/app/manifests/${name}`,
      });
      await expect(sent).rejects.toMatchObject({
        code: 'registry-unreachable',
        message: expect.stringContaining(reason ?? ''),
      });
    }
  });

  it('gives up a registry that stops reading the request', async () => {
    const { host } = await bench.plain(afterPing(() => undefined));
    let sent = 0;
    const upload = bench.to(host, { limits: { headersMs: 200 } }).send({
      method: 'PATCH',
      target: 'team/app/blobs/uploads/1',
      scopes: PULL,
      expected: [202],
      async *body() {
        for (; sent < 1000; sent += 1) yield Buffer.alloc(100_000);
      },
    });
    await expect(upload).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('it took too long to answer'),
    });
    expect(sent).toBeLessThan(1000);
  });

  it('does not time out on a slow reader of an answer', async () => {
    const { host } = await bench.plain(
      afterPing((_, response) => response.end(Buffer.alloc(3_000_000))),
    );
    const { body } = await bench.to(host, { limits: { stallMs: 1000 } }).send(GET);
    let length = 0;
    for await (const chunk of body) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 1500));
      length += chunk.length;
    }
    expect(length).toBe(3_000_000);
  });

  it('repeats a request after a 429', async () => {
    let count = 0;
    const { host } = await bench.plain(
      afterPing((_, response) => {
        count += 1;
        if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end();
        else response.end('ok');
      }),
    );
    expect(await bodyOf(bench.to(host))).toBe('ok');
    expect(count).toBe(2);
  });

  it('reports a rate limit when the registry demands too long a wait, or always refuses', async () => {
    for (const [after, count] of [
      ['3600', 1],
      ['0', 3],
    ] as const) {
      const { host, requests } = await bench.plain(
        afterPing((_, response) => {
          response
            .writeHead(429, { 'retry-after': after })
            .end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
        }),
      );
      await expect(bench.to(host).send(GET)).rejects.toMatchObject({
        code: 'registry-rate-limited',
        message: expect.stringContaining('TOOMANYREQUESTS'),
        remedy: expect.stringContaining(`Try again in ${after} s`),
      });
      expect(requests.filter(({ path }) => path !== '/v2/')).toHaveLength(count);
    }
  });

  it('quotes only a part of a long refusal', async () => {
    const { host } = await bench.plain(
      afterPing((_, response) => {
        response.writeHead(400);
        response.write(`{"errors":[{"code":"X","message":"${'long '.repeat(2000)}"}]}`);
        const timer = setInterval(() => response.write(' '.repeat(100_000)), 1);
        response.once('close', () => clearInterval(timer)).on('error', () => undefined);
      }),
    );
    const failure = await bench
      .to(host)
      .send(GET)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'registry-failed' });
    expect(String(failure).length).toBeLessThan(600);
  });

  it('maps every error status of a registry to a code', async () => {
    const { host } = await bench.plain(
      afterPing((request, response) => {
        response.writeHead(Number(request.url?.slice(-3))).end();
      }),
    );
    for (const [status, code] of [
      [401, 'registry-unauthorized'],
      [403, 'registry-denied'],
      [404, 'not-in-registry'],
      [418, 'registry-failed'],
      [500, 'registry-failed'],
    ] as const) {
      const target = `team/app/manifests/${status}`;
      await expect(bench.to(host).send({ ...GET, target })).rejects.toMatchObject({ code });
    }
  });

  it('ends a request at once when the caller aborts', async () => {
    const { host } = await bench.plain(afterPing(hang));
    const stop = new AbortController();
    const limits = { headersMs: 60_000, connectMs: 60_000 };
    const sent = bench.to(host, { limits }).send({ ...GET, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by the user')), 50);
    await expect(sent).rejects.toThrow('stopped by the user');
  });

  it('ends a request at once when the caller aborts in the middle of a body', async () => {
    const { host } = await bench.plain(afterPing((_, response) => void response.write('some')));
    const stop = new AbortController();
    const limits = { stallMs: 60_000 };
    const { body } = await bench.to(host, { limits }).send({ ...GET, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by the user')), 50);
    await expect(text(body)).rejects.toThrow('stopped by the user');
  });

  it('reports a registry as unreachable when nothing listens', async () => {
    const gone = await bench.plain(ok);
    await gone.stop();
    await expect(bench.to(gone.host).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: `Cannot reach ${gone.host}: nothing listens there (connection refused)`,
    });
  });
});
