import { expect, it } from 'vitest';
import { bytesField, mapEntry, mapOf, readFields, textsOf } from '../wire/protobuf.ts';
import { namedResponse, readFrontendSolve, readSolve, resultDigest } from './solve.ts';

const exporter = (type: string, attrs: Readonly<Record<string, string>>): Buffer =>
  bytesField(
    13,
    Buffer.concat([
      bytesField(1, type),
      ...Object.entries(attrs).map(([key, value]) => mapEntry(2, key, value)),
    ]),
  );

const given = { 'dangling-name-prefix': 'moby-dangling', unpack: 'false' };

const DIGEST = `sha256:${'1'.repeat(64)}`;

it('takes the names of a result out of the call, and keeps all else', () => {
  const kept = [bytesField(1, 'ref'), bytesField(5, 'session'), mapEntry(7, 'target', 'last')];
  const old = [bytesField(3, 'moby'), mapEntry(4, 'name', 'a,b:1'), mapEntry(4, 'x', 'y')];
  const named = exporter('moby', { name: 'a,b:1', 'name-canonical': 'true', x: 'y' });
  const solve = readSolve(Buffer.concat([...kept, ...old, named, bytesField(99, 'unknown')]));
  expect(solve).toMatchObject({
    ...{ ref: 'ref', stores: true, spelledNames: 'a,b:1', pulls: false, hasLayouts: false },
    names: ['docker.io/library/a:latest', 'docker.io/library/b:1'],
  });
  expect(solve.message).toEqual(
    Buffer.concat([
      ...kept,
      ...[bytesField(3, 'image'), mapEntry(4, 'x', 'y')],
      ...[exporter('image', { x: 'y', ...given }), bytesField(99, 'unknown')],
      ...Object.entries(given).map(([key, value]) => mapEntry(4, key, value)),
    ]),
  );
});

it('stores no result that goes to the client', () => {
  const solve = readSolve(exporter('oci', { name: 'a' }));
  expect(solve).toMatchObject({ stores: false, names: [] });
  expect(solve.message).toEqual(exporter('oci', { name: 'a' }));
});

it.each(['true', '1', 't', 'yes'])('refuses to push a result: push=%s', (push) => {
  expect(() => readSolve(exporter('image', { name: 'a', push }))).toThrow(
    expect.objectContaining({ code: 'unsupported-option' }),
  );
});

it('refuses to push a cache', () => {
  const entry = bytesField(4, bytesField(1, 'registry'));
  expect(() => readSolve(bytesField(8, entry))).toThrow(
    expect.objectContaining({ code: 'unsupported-option' }),
  );
});

it('refuses a name that is none', () => {
  expect(() => readSolve(exporter('moby', { name: 'Not A Name' }))).toThrow(
    expect.objectContaining({ code: 'invalid-reference' }),
  );
});

it('makes a frontend ask for each image, whatever the client says', () => {
  const asked = Buffer.concat([
    bytesField(2, 'dockerfile.v0'),
    mapEntry(3, 'image-resolve-mode', 'local'),
  ]);
  const { message, pulls } = readFrontendSolve(asked);
  expect(mapOf(readFields(message), 3).get('image-resolve-mode')).toBe('pull');
  expect(pulls).toBe(false);
  const server = Buffer.concat([
    bytesField(6, 'dockerfile.v0'),
    mapEntry(7, 'image-resolve-mode', 'pull'),
  ]);
  expect(readSolve(server)).toMatchObject({ pulls: true });
});

it('finds layouts of the client, in attributes and in definitions', () => {
  const attribute = mapEntry(3, 'context:base', 'oci-layout://x@sha256:1');
  expect(readFrontendSolve(attribute).hasLayouts).toBe(true);
  const definition = bytesField(2, bytesField(1, bytesField(2, 'oci-layout://x')));
  expect(readSolve(definition).hasLayouts).toBe(true);
});

it('gives the response the names of the client, and the id that the image has here', () => {
  const response = Buffer.concat([
    mapEntry(1, 'containerimage.digest', DIGEST),
    mapEntry(1, 'image.name', 'moby-dangling'),
  ]);
  expect(resultDigest(response)).toBe(DIGEST);
  const named = readFields(namedResponse(response, 'a,b:1', 'sha256:id'));
  expect(Object.fromEntries(mapOf(named, 1))).toEqual({
    'containerimage.digest': DIGEST,
    'containerimage.config.digest': 'sha256:id',
    'image.name': 'a,b:1',
  });
  const unnamed = readFields(namedResponse(response, '', 'sha256:id'));
  expect(mapOf(unnamed, 1).has('image.name')).toBe(false);
  expect(textsOf(unnamed, 2)).toEqual([]);
});
