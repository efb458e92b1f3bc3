import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { expect, it } from 'vitest';
import type { KeptSecret } from '../secrets.ts';
import { SecretReturned, secretIn, WithoutSecrets, withValues } from './secret-values.ts';

const secret = (name: string, value: string, header = 'authorization'): KeptSecret => ({
  ...{ name, value, header, host: 'a.example', placeholder: `placeholder-${name}` },
});
const TOKEN = secret('TOKEN', 'aaab$&$1value');
const KEY = secret('KEY', 'another-value', 'x-api-key');

it('puts each value into its own header alone, as often as its placeholder is there', () => {
  const asked = {
    authorization: 'Bearer placeholder-TOKEN, placeholder-TOKEN placeholder-KEY',
    'x-api-key': 'placeholder-KEY',
    'x-other': 'placeholder-TOKEN placeholder-KEY',
  };
  expect(withValues(asked, [TOKEN, KEY])).toEqual({
    authorization: `Bearer ${TOKEN.value}, ${TOKEN.value} placeholder-KEY`,
    'x-api-key': KEY.value,
    'x-other': asked['x-other'],
  });
  // A name that every object has is absent like any other.
  expect(withValues({}, [TOKEN, secret('ODD', 'odd-value', 'constructor')])).toEqual({});
});

it('finds a value among texts', () => {
  const among = (...texts: string[]) => secretIn(texts, [TOKEN, KEY]);
  expect(among('OK', 'placeholder-TOKEN', TOKEN.value.slice(1))).toBeUndefined();
  expect(among('OK', `no ${TOKEN.value}`)).toBe('TOKEN');
  expect(among('OK', 'set-cookie', `b=${KEY.value}; c`)).toBe('KEY');
});

async function passed(chunks: readonly string[]): Promise<string> {
  const source = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  return await text(source.compose(new WithoutSecrets([TOKEN, KEY])));
}

it('passes on what has no value in it, however it is cut', async () => {
  for (const whole of ['', 'aaa', 'aaaaaab$&$1valu', `x${TOKEN.value.slice(0, -1)}anothe`]) {
    for (const size of [1, 2, 5, 100]) {
      const chunks = whole.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];
      expect(await passed(chunks)).toBe(whole);
    }
  }
});

it('passes on nothing of a value, however it is cut', async () => {
  for (const size of [1, 2, 5, 100]) {
    const chunks = `before aaa${TOKEN.value} after`.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];
    const scanner = new WithoutSecrets([KEY, TOKEN]);
    const seen: Buffer[] = [];
    scanner.on('data', (data: Buffer) => seen.push(data));
    const failed = new Promise((resolve) => scanner.on('error', resolve));
    Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(scanner);
    const error = await failed;
    expect(error).toBeInstanceOf(SecretReturned);
    expect(error).toMatchObject({ secret: 'TOKEN', message: expect.not.stringContaining('value') });
    expect('before aaa'.startsWith(Buffer.concat(seen).toString())).toBe(true);
  }
});

it('passes on at once what cannot become a value', async () => {
  const scanner = new WithoutSecrets([TOKEN]);
  scanner.write('data: one\n\n');
  expect(String(scanner.read())).toBe('data: one\n\n');
});

it.each([
  ['begins with', TOKEN.value.slice(0, 3)],
  ['does not begin with', 'zzz'],
])('cuts an answer alike that ends with what a value %s', async (_, end) => {
  const scanner = new WithoutSecrets([TOKEN]);
  const lengths: number[] = [];
  scanner.on('data', (data: Buffer) => lengths.push(data.length));
  scanner.end(`${'.'.repeat(40)}${end}`);
  await finished(scanner);
  expect(lengths).toEqual([43 - (TOKEN.value.length - 1), TOKEN.value.length - 1]);
});
