import { expect, it } from 'vitest';
import {
  mapEntry,
  mapOf,
  ProtobufError,
  readFields,
  textsOf,
  bytesField as written,
} from '../wire/protobuf.ts';
import {
  readFrontendSolve as frontendSolve,
  namedResponse,
  resultDigest,
  readSolve as solveOf,
} from './solve.ts';

const PROXY = 'http://proxy.test:1';
const POLICY = `sha256:${'2'.repeat(64)}`;
const GIVEN = { stepProxy: PROXY, policy: POLICY };
const readSolve = (message: Buffer) => solveOf(message, GIVEN, 'key');
const readFrontendSolve = (message: Buffer) => frontendSolve(message, GIVEN);

/** The field of a text, or of the fields of a message. */
const bytesField = (number: number, content: string | Buffer | readonly Buffer[]): Buffer =>
  written(
    number,
    typeof content === 'string' || Buffer.isBuffer(content) ? content : Buffer.concat(content),
  );

const exporter = (type: string, attrs: Readonly<Record<string, string>>): Buffer =>
  bytesField(
    13,
    Buffer.concat([
      bytesField(1, type),
      ...Object.entries(attrs).map(([key, value]) => mapEntry(2, key, value)),
    ]),
  );

/** @param name what the result's name begins with */
const given = (name: string) => ({ 'dangling-name-prefix': name, unpack: 'false' });

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
      exporter('image', { x: 'y', ...given('a3s-result-key-6') }),
      bytesField(99, 'unknown'),
      ...Object.entries(given('a3s-result-key')).map(([key, value]) => mapEntry(4, key, value)),
    ]),
  );
});

it('stores no result that goes to the client', () => {
  const solve = readSolve(exporter('oci', { name: 'a' }));
  expect(solve).toMatchObject({ stores: false, names: [] });
  expect(solve.message).toEqual(exporter('oci', { name: 'a' }));
});

it.each(['true', '1', 't', 'yes'])('pushes a result under a name of its own: push=%s', (push) => {
  const name = 'r.example/a:1,r.example/a,r.example/b:2';
  const solve = readSolve(exporter('image', { name, push, x: 'y' }));
  const tag = 'a3s-result-key-0';
  expect(solve.pushes).toEqual([
    { repository: 'r.example/a', tag, tags: ['1', 'latest'] },
    { repository: 'r.example/b', tag, tags: ['2'] },
  ]);
  expect(solve.names).toEqual(['r.example/a:1', 'r.example/a:latest', 'r.example/b:2']);
  const names = `r.example/a:${tag},r.example/b:${tag}`;
  const pushed = { x: 'y', name: names, push: 'true', unpack: 'false' };
  expect(solve.message).toEqual(exporter('image', pushed));
});

it.each(['false', '0', ''])('pushes no result with push=%s', (push) => {
  const solve = readSolve(exporter('image', { name: 'a', push }));
  expect(solve.pushes).toEqual([]);
  expect(solve.message).toEqual(exporter('image', given('a3s-result-key-0')));
});

it('pushes no result without a name, by a digest, or to the loopback of the builder', () => {
  const refused = (attrs: Readonly<Record<string, string>>) =>
    expect(() => readSolve(exporter('image', { push: 'true', ...attrs })));
  refused({}).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  refused({ name: 'A' }).toThrow(expect.objectContaining({ code: 'invalid-reference' }));
  refused({ name: `a@${DIGEST}` }).toThrow(expect.objectContaining({ code: 'invalid-reference' }));
  refused({ name: 'a', 'push-by-digest': 'true' }).toThrow(UNSUPPORTED);
  for (const host of ['localhost:5000', 'localhost', '127.0.0.1:5000', '[::1]:5000']) {
    refused({ name: `${host}/a:1` }).toThrow(UNSUPPORTED);
  }
});

it('pushes a cache under the name that the client gave', () => {
  const entry = [bytesField(1, 'registry'), mapEntry(2, 'ref', 'r.example/cache')];
  const cache = bytesField(8, bytesField(4, entry));
  const solve = readSolve(cache);
  const target = { repository: 'r.example/cache', tag: 'latest', tags: ['latest'] };
  expect(solve.pushes).toEqual([target]);
  expect(solve.message).toEqual(cache);
  expect(() => readSolve(bytesField(8, bytesField(4, bytesField(1, 'registry'))))).toThrow(
    expect.objectContaining({ code: 'invalid-reference' }),
  );
});

const UNSUPPORTED = expect.objectContaining({ code: 'unsupported-option' });

it.each([
  ['of older clients', bytesField(1, 'registry.example/cache:1')],
  ['of a type that is given last', bytesField(4, [bytesField(1, 'inline'), bytesField(1, 'gha')])],
  ['to a bucket', bytesField(4, bytesField(1, 's3'))],
])('refuses to push a cache %s', (_, options) => {
  expect(() => readSolve(bytesField(8, options))).toThrow(UNSUPPORTED);
});

it.each(['local', 'gha', 's3', 'azblob', '', 'Registry'])('imports no cache of type %s', (type) => {
  const entry = [bytesField(1, 'registry'), bytesField(1, type)];
  expect(() => readSolve(bytesField(8, bytesField(5, entry)))).toThrow(UNSUPPORTED);
  expect(() => readFrontendSolve(bytesField(12, entry))).toThrow(UNSUPPORTED);
  const json = JSON.stringify([{ Type: type, Attrs: { src: '/c' } }]);
  expect(() => readSolve(mapEntry(7, 'cache-imports', json))).toThrow(UNSUPPORTED);
  expect(() => readFrontendSolve(mapEntry(3, 'cache-imports', json))).toThrow(UNSUPPORTED);
});

it.each(['[{"type":"local"}]', '[{"Type":"registry","type":"local"}]', '{', 'null', '[null]'])(
  'refuses imports that Go could read in another way: %s',
  (json) => {
    expect(() => readSolve(mapEntry(7, 'cache-imports', json))).toThrow(ProtobufError);
  },
);

it('imports a cache of a registry, and writes what it has read', () => {
  const json = '[{"Type":"local","Type":"registry","Attrs":{"ref":"a"}}]';
  const entry = [bytesField(1, 'registry'), mapEntry(2, 'ref', 'a')];
  const cache = bytesField(8, [bytesField(4, bytesField(1, 'inline')), bytesField(5, entry)]);
  const { message } = readSolve(Buffer.concat([cache, mapEntry(7, 'cache-imports', json)]));
  const fields = readFields(message);
  expect(fields[0]?.encoded).toEqual(cache);
  expect(mapOf(fields, 7).get('cache-imports')).toBe('[{"Type":"registry","Attrs":{"ref":"a"}}]');
});

it.each(['network.host', 'security.insecure', 'device'])('grants no step %s', (entitlement) => {
  expect(() => readSolve(bytesField(9, entitlement))).toThrow(
    expect.objectContaining({
      code: 'unsupported-option',
      message: expect.stringContaining(entitlement),
    }),
  );
});

it('lets no client name the control group of steps', () => {
  expect(() => readSolve(mapEntry(7, 'cgroup-parent', '/x'))).toThrow(UNSUPPORTED);
  expect(() => readFrontendSolve(mapEntry(3, 'cgroup-parent', '/x'))).toThrow(UNSUPPORTED);
  expect(readSolve(mapEntry(7, 'cgroup-parent', '')).pushes).toEqual([]);
});

it('takes the last of a type that is there twice', () => {
  const twice = [bytesField(3, 'x'), bytesField(3, 'image')];
  const pushed = [bytesField(1, 'x'), bytesField(1, 'image'), mapEntry(2, 'push', 'true')];
  const NAMELESS = expect.objectContaining({ code: 'invalid-argument' });
  expect(() => readSolve(Buffer.concat([...twice, mapEntry(4, 'push', 'true')]))).toThrow(NAMELESS);
  expect(() => readSolve(bytesField(13, pushed))).toThrow(NAMELESS);
  const named = readSolve(Buffer.concat([...twice, mapEntry(4, 'name', 'a/shadow:1')]));
  expect(named).toMatchObject({ stores: true, names: ['docker.io/a/shadow:1'] });
  expect(named.message.includes('shadow')).toBe(false);
});

it('sees a frontend that is named last', () => {
  const frontend = [bytesField(6, ''), bytesField(6, 'dockerfile.v0')];
  const local = mapEntry(7, 'image-resolve-mode', 'local');
  const { message } = readSolve(Buffer.concat([...frontend, local]));
  expect(mapOf(readFields(message), 7).get('image-resolve-mode')).toBe('pull');
});

it.each([
  ['a key that is there twice', bytesField(4, [bytesField(1, 'x'), bytesField(1, 'name')])],
  [
    'a key of another wire type',
    bytesField(13, bytesField(2, [Buffer.from([8, 4]), Buffer.from('name')])),
  ],
  ['17 results', Array(17).fill(exporter('oci', {}))],
  ['101 names', exporter('moby', { name: Array.from({ length: 101 }, (_, n) => n).join() })],
])('refuses %s', (_, message) => {
  const bytes = Array.isArray(message) ? Buffer.concat(message) : message;
  expect(() => readSolve(bytes)).toThrow(ProtobufError);
});

it('encodes results anew, without what it does not know', () => {
  const inside = [bytesField(1, 'x'), bytesField(1, 'oci'), bytesField(9, 'unknown')];
  expect(readSolve(bytesField(13, inside)).message).toEqual(exporter('oci', {}));
});

it.each(['Not A Name', `a:1@${DIGEST}`])('refuses the name %s', (name) => {
  expect(() => readSolve(exporter('moby', { name }))).toThrow(
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

it('names the policy that decides on images, which no client does', () => {
  const asked = (frontend: number, attrs: number): Buffer =>
    Buffer.concat([
      bytesField(frontend, 'dockerfile.v0'),
      mapEntry(attrs, 'image-policy', 'of the client'),
    ]);
  const policyIn = (message: Buffer, attrs: number) =>
    mapOf(readFields(message), attrs).get('image-policy');
  expect(policyIn(readSolve(asked(6, 7)).message, 7)).toBe(POLICY);
  expect(policyIn(readFrontendSolve(asked(2, 3)).message, 3)).toBe(POLICY);
  const withoutFrontend = mapEntry(7, 'image-policy', 'of the client');
  expect(readSolve(withoutFrontend).message).toHaveLength(0);
});

it('gives the steps of a frontend their proxy in place of the client’s, in any spelling', () => {
  const theirs = ['HTTP_PROXY', 'https_proxy', 'No_Proxy', 'ALL_PROXY', 'ftp_proxy'];
  const given = (field: number) => [
    ...theirs.map((name) => mapEntry(field, `build-arg:${name}`, 'http://client')),
    mapEntry(field, 'build-arg:PROXY', 'kept'),
  ];
  const expected = {
    'build-arg:PROXY': 'kept',
    ...{ 'image-resolve-mode': 'pull', 'image-policy': POLICY },
    ...{ 'build-arg:HTTP_PROXY': PROXY, 'build-arg:http_proxy': PROXY },
    ...{ 'build-arg:HTTPS_PROXY': PROXY, 'build-arg:https_proxy': PROXY },
    'build-arg:NO_PROXY': 'localhost,127.0.0.1,::1',
    'build-arg:no_proxy': 'localhost,127.0.0.1,::1',
  };
  const solve = readSolve(Buffer.concat([bytesField(6, 'dockerfile.v0'), ...given(7)]));
  expect(Object.fromEntries(mapOf(readFields(solve.message), 7))).toEqual(expected);
  const frontend = readFrontendSolve(Buffer.concat([bytesField(2, 'dockerfile.v0'), ...given(3)]));
  expect(Object.fromEntries(mapOf(readFields(frontend.message), 3))).toEqual(expected);
  // What has no frontend has no arguments.
  const { message } = readSolve(Buffer.concat(given(7)));
  expect(Object.fromEntries(mapOf(readFields(message), 7))).toEqual({ 'build-arg:PROXY': 'kept' });
});

it.each(['oci-layout://x@sha256:1', 'oci-layout:x@sha256:1', 'OCI-Layout:x'])(
  'finds layouts of the client, in attributes and in definitions: %s',
  (layout) => {
    expect(readFrontendSolve(mapEntry(3, 'context:base', layout)).hasLayouts).toBe(true);
    expect(readSolve(mapEntry(7, 'context:base', layout)).hasLayouts).toBe(true);
    const definition = bytesField(2, bytesField(1, bytesField(2, layout)));
    expect(readSolve(definition).hasLayouts).toBe(true);
  },
);

it('takes a source policy for a layout, since it could make one of any source', () => {
  expect(readSolve(bytesField(12, 'policy')).hasLayouts).toBe(true);
  expect(readSolve(bytesField(15, 'session')).hasLayouts).toBe(true);
  expect(readFrontendSolve(bytesField(15, 'policy')).hasLayouts).toBe(true);
});

it('gives the response the names of the client, and the id that the image has here', () => {
  const response = Buffer.concat([
    mapEntry(1, 'containerimage.digest', DIGEST),
    mapEntry(1, 'image.name', 'a3s-result-key'),
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
