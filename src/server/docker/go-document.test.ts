import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseRequest } from '../http/parse.ts';
import { goBody, goDocument } from './go-document.ts';

const Schema = z.strictObject({
  Name: z.string().default(''),
  Count: z.int().default(0),
  Words: z.array(z.string()).default([]),
  Labels: z.record(z.string(), z.string()).default({}),
  Ports: z
    .record(z.string(), z.array(z.strictObject({ HostIp: z.string().default('') })).nullable())
    .default({}),
  Inner: z
    .strictObject({ Deep: z.strictObject({ Value: z.int().default(7) }).optional() })
    .nullish()
    .transform((inner) => inner ?? undefined),
  Host: z.strictObject({ Mode: z.string().default('none') }).prefault({}),
});

function read(value: unknown): { value: unknown; ignored: readonly string[] } {
  const ignored: string[] = [];
  return { value: goDocument(Schema, value, ignored), ignored };
}

describe('a document as Go reads it', () => {
  it('accepts field names in any case, at any depth', () => {
    const { value } = read({ nAME: 'a', COUNT: 1, inner: { deep: { VALUE: 2 } } });
    expect(value).toEqual({ Name: 'a', Count: 1, Inner: { Deep: { Value: 2 } } });
  });

  it('prefers the last of two values for one field, unless it is null', () => {
    expect(read({ name: 'a', Name: 'b' }).value).toEqual({ Name: 'b' });
    expect(read({ Name: 'b', name: null }).value).toEqual({ Name: 'b' });
  });

  it('reads a part that may be missing like any other, and has its defaults without it', () => {
    expect(read({ host: { MODE: 'a', Mode: null, Zero: 0 } })).toEqual({
      value: { Host: { Mode: 'a' } },
      ignored: ['Host.Zero'],
    });
    expect(parseRequest(Schema, read({ Host: null }).value).Host).toEqual({ Mode: 'none' });
  });

  it('leaves the keys of maps alone', () => {
    const value = { Labels: { Name: 'x', nAME: 'y' } };
    expect(read(value).value).toEqual(value);
  });

  it('treats null in a field as absent, at any depth', () => {
    const { value } = read({ Name: null, Inner: { Deep: { Value: null } } });
    expect(value).toEqual({ Inner: { Deep: {} } });
    expect(parseRequest(Schema, value)).toMatchObject({ Name: '', Inner: { Deep: { Value: 7 } } });
    expect(read({ Inner: { Deep: null } }).value).toEqual({ Inner: {} });
  });

  it('treats null in a list or a map as a zero element', () => {
    const { value } = read({ Words: ['a', null], Labels: { a: null }, Ports: { '80/tcp': null } });
    expect(value).toEqual({ Words: ['a', ''], Labels: { a: '' }, Ports: { '80/tcp': null } });
    expect(read({ Ports: { '80/tcp': [{ hostip: null }] } }).value).toEqual({
      Ports: { '80/tcp': [{}] },
    });
  });

  it('drops unknown fields that request nothing, and returns their names', () => {
    const zeros = { A: null, B: 0, C: '', D: false, E: [], F: {} };
    expect(read({ ...zeros, Inner: { Deep: { G: null } } })).toEqual({
      value: { Inner: { Deep: {} } },
      ignored: ['A', 'B', 'C', 'D', 'E', 'F', 'Inner.Deep.G'],
    });
  });

  it('keeps unknown fields that request something, which the schema refuses', () => {
    const { value, ignored } = read({ Inner: { Unheard: 1 } });
    expect(ignored).toEqual([]);
    expect(() => parseRequest(Schema, value)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining('Unheard'),
      }),
    );
  });

  it.each([[7], ['text'], [null], [undefined], [[1, null]]])(
    'leaves %j unchanged for the schema to refuse',
    (value) => {
      expect(read(value).value).toEqual(value);
    },
  );

  it('wraps the body schema of a route', () => {
    expect(goBody(Schema.nullish()).read({ NAME: 'x', Inner: null }, {})).toMatchObject({
      Name: 'x',
    });
  });
});
