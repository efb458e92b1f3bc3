import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { ProxyPort } from './proxy-port.ts';

const PLACES = 3;

/** A port of a builder of a test's own. */
class Fixture {
  readonly port: ProxyPort;
  /** Requests that have no connection yet. */
  readonly asked: { resolve(connection: Duplex): void; reject(error: Error): void }[] = [];
  readonly failures: unknown[] = [];
  most = 0;
  readonly #gone = new AbortController();

  constructor(places: number) {
    this.port = new ProxyPort({
      ...{ places, signal: this.#gone.signal, failed: (error) => this.failures.push(error) },
      accept: () =>
        new Promise((resolve, reject) => {
          this.asked.push({ resolve, reject });
          this.most = Math.max(this.most, this.asked.length);
        }),
    });
  }

  /** What a program gets that connects. */
  async answer(said = ''): Promise<string> {
    const [program, host] = duplexPair();
    (await this.request()).resolve(host);
    program.end(said);
    return await text(program);
  }

  async request() {
    await expect.poll(() => this.asked.length).toBeGreaterThan(0);
    return this.asked.shift() ?? expect.fail();
  }

  end(): void {
    this.#gone.abort();
    for (const { reject } of this.asked.splice(0)) reject(new Error('no builder'));
  }
}

const fixtures: Fixture[] = [];
afterEach(() => {
  for (const fixture of fixtures.splice(0)) fixture.end();
});

function fixtureOf(places = 1): Fixture {
  const fixture = new Fixture(places);
  fixtures.push(fixture);
  return fixture;
}

const answering =
  (words: string) =>
  (connection: Duplex): void => {
    connection.resume().end(words);
  };

it('keeps its requests for connections when another one comes to serve them', async () => {
  const fixture = fixtureOf(PLACES);
  for (const words of ['first', 'second', 'third']) {
    const end = fixture.port.serve(answering(words));
    for (let index = 0; index < PLACES * 2; index += 1) {
      expect(await fixture.answer()).toBe(words);
    }
    await expect.poll(() => fixture.asked.length).toBe(PLACES);
    end();
  }
  expect(fixture.most).toBe(PLACES);
  expect(fixture.failures).toEqual([]);
});

it('hands all connections to the last one that serves them', async () => {
  const fixture = fixtureOf(PLACES);
  const end = fixture.port.serve(answering('first'));
  const endSecond = fixture.port.serve(answering('second'));
  expect(await fixture.answer()).toBe('second');
  endSecond();
  expect(await fixture.answer()).toBe('first');
  endSecond();
  expect(await fixture.answer()).toBe('first');
  end();
});

it('answers that no build runs where nobody serves connections', async () => {
  const fixture = fixtureOf();
  fixture.port.serve(answering('first'))();
  for (let index = 0; index < 2; index += 1) {
    expect(await fixture.answer('CONNECT registry.example:443 HTTP/1.1\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*\r\n\r\nno build runs in this builder\n$/,
    );
  }
});

it('serves the next connection where one is closed before its turn', async () => {
  const fixture = fixtureOf();
  fixture.port.serve(answering('first'));
  const [, host] = duplexPair();
  host.destroy();
  await once(host, 'close');
  (await fixture.request()).resolve(host);
  expect(await fixture.answer()).toBe('first');
});

it('reports a connection that cannot be had, and asks for the next one', async () => {
  const fixture = fixtureOf();
  fixture.port.serve(answering('first'));
  (await fixture.request()).reject(new Error('too many'));
  expect(await fixture.answer()).toBe('first');
  expect(fixture.failures).toEqual([new Error('too many')]);
});
