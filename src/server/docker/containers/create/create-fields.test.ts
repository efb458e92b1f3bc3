import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field, Refused, Works } from '../../../testing/create-field.ts';
import { CONFIG_FIELDS } from '../../../testing/create-fields.ts';
import { ENDPOINT_FIELDS } from '../../../testing/endpoint-fields.ts';
import { TestHome } from '../../../testing/home.ts';
import { HOST_CONFIG_FIELDS } from '../../../testing/host-config-fields.ts';
import { CONFIG_KEYS, HOST_CONFIG_KEYS } from './parse-create.ts';
import {
  UNSUPPORTED_ENDPOINT,
  UNSUPPORTED_HOST_CONFIG,
  type UnsupportedOptions,
} from './unsupported-options.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
  await home.call('POST', '/networks/create', { Name: 'linked' });
  // The box whose mounts another one has.
  await home.call('POST', '/containers/create?name=other', {
    Image: 'busybox',
    HostConfig: { Binds: ['theirs:/theirs'] },
  });
});
afterAll(() => home.remove());

type Body = Readonly<Record<string, unknown>>;
type Place = 'Config' | 'HostConfig' | 'Endpoint';

const PLACES: readonly (readonly [Place, Readonly<Record<string, Field>>, UnsupportedOptions])[] = [
  ['Config', CONFIG_FIELDS, {}],
  ['HostConfig', HOST_CONFIG_FIELDS, UNSUPPORTED_HOST_CONFIG],
  ['Endpoint', ENDPOINT_FIELDS, UNSUPPORTED_ENDPOINT],
];

function bodyWith(place: Place, name: string, value: unknown, field?: Partial<Works>): Body {
  const base = { Image: 'busybox', Cmd: ['sleep', 'infinity'], ...field?.beside };
  const host = { ...field?.besideHost };
  switch (place) {
    case 'Config':
      return { ...base, [name]: value, HostConfig: host };
    case 'HostConfig':
      return { ...base, HostConfig: { ...host, [name]: value } };
    case 'Endpoint':
      return {
        ...base,
        NetworkingConfig: { EndpointsConfig: { default: { [name]: value } } },
      };
  }
}

async function created(body: Body): Promise<string> {
  const answer = await home.call('POST', '/containers/create', body);
  expect(answer).toMatchObject({ status: 201 });
  return (answer.body as { Id: string }).Id;
}

async function inspected(id: string): Promise<Record<string, Body>> {
  return (await home.call('GET', `/containers/${id}/json`)).body as Record<string, Body>;
}

async function remove(id: string): Promise<void> {
  expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
}

/** The settings of a box without its identity, to compare two boxes. */
async function documentsOf(body: Body) {
  const id = await created(body);
  const { Config, HostConfig } = await inspected(id);
  const {
    id: _,
    createdAt,
    identity,
    trust,
    hostname,
    ...record
  } = home.runtime.store.expect(id).definition;
  await remove(id);
  return { Config: { ...Config, Hostname: '' }, HostConfig, record };
}

const fieldsOf = <Kind extends Field['kind']>(...kinds: readonly Kind[]) =>
  PLACES.flatMap(([place, fields]) =>
    Object.entries(fields)
      .filter(([, { kind }]) => kinds.some((each) => each === kind))
      .map(([name, field]) => [place, name, field] as const),
  ) as (readonly [Place, string, Extract<Field, { kind: Kind }>])[];

it('lists exactly the fields that the schemas of create know', () => {
  const both = (...lists: readonly (readonly string[])[]): string[] => lists.flat().sort();
  expect(Object.keys(CONFIG_FIELDS).sort()).toEqual(
    // What is read with the networks is not in the schema.
    both(CONFIG_KEYS, ['MacAddress']),
  );
  // Old clients use Capabilities for CapAdd and CapDrop together.
  const host = both(HOST_CONFIG_KEYS, Object.keys(UNSUPPORTED_HOST_CONFIG));
  expect(Object.keys(HOST_CONFIG_FIELDS).sort()).toEqual(
    host.filter((name) => name !== 'Capabilities'),
  );
  expect(Object.keys(ENDPOINT_FIELDS).sort()).toEqual(both(Object.keys(UNSUPPORTED_ENDPOINT)));
});

describe('supported fields', () => {
  it.each(fieldsOf('works', 'differs'))(
    'shows %s.%s as it was given, and applies it',
    async (place, name, field: Works) => {
      const id = await created(bodyWith(place, name, field.value, field));
      expect((await inspected(id))[place]?.[name]).toEqual(field.shown ?? field.value);
      expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
      const vm = home.host.vm(id)?.spec;
      const spec = home.agents.get(id)?.spec;
      if (vm === undefined || spec === undefined) throw new Error('the box does not run');
      const { definition: record } = home.runtime.store.expect(id);
      expect(field.effect({ record, vm, spec })).toEqual(field.expected);
      // A box without the field shows another value.
      const plain = await created(bodyWith('Config', 'Image', 'busybox'));
      const { [place]: shown } = await inspected(plain);
      if (name !== 'Image') expect(shown?.[name]).not.toEqual(field.shown ?? field.value);
      await remove(plain);
      await remove(id);
    },
  );
});

describe('unsupported fields', () => {
  it.each(fieldsOf('refused'))(
    'refuses %s.%s by name, with the reason, before there is a record',
    async (place, name, field: Refused) => {
      const before = home.runtime.store.list().length;
      const answer = await home.call(
        'POST',
        '/containers/create',
        bodyWith(place, name, field.value),
      );
      expect(answer).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
      const { message } = answer.body as { message: string };
      const reasons = PLACES.find(([each]) => each === place)?.[2];
      // A part of a field may be what is refused.
      const [asked = '', reason = ''] = message.split(' is not supported: ');
      expect(asked).toMatch(new RegExp(`\\b${name}(\\.\\w+)?$`));
      expect(reason).toContain(reasons?.[name]?.why);
      expect(home.runtime.store.list()).toHaveLength(before);
    },
  );

  it.each(
    fieldsOf('works', 'differs').flatMap(([place, name, { refused = [] }]) =>
      refused.map((value) => [place, name, value] as const),
    ),
  )('refuses %s.%s with the unsupported value %j', async (place, name, value) => {
    const before = home.runtime.store.list().length;
    const answer = await home.call('POST', '/containers/create', bodyWith(place, name, value));
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining(name) },
    });
    expect(home.runtime.store.list()).toHaveLength(before);
  });
});

it.each(fieldsOf('refused'))(
  'ignores %s.%s when its value requests nothing',
  async (place, name, field: Refused) => {
    const plain = await documentsOf(bodyWith('Config', 'Image', 'busybox'));
    for (const value of [null, ...(field.neutral ?? [])]) {
      expect(await documentsOf(bodyWith(place, name, value))).toEqual(plain);
    }
  },
);

it.each(fieldsOf('ignored'))('ignores %s.%s whatever its value', async (place, name, { value }) => {
  const plain = await documentsOf(bodyWith('Config', 'Image', 'busybox'));
  expect(await documentsOf(bodyWith(place, name, value))).toEqual(plain);
});

it.each(fieldsOf('discarded'))(
  'discards %s.%s with a warning, and nothing else changes',
  async (place, name, { value }) => {
    const plain = await documentsOf(bodyWith('Config', 'Image', 'busybox'));
    const body = bodyWith(place, name, value);
    expect(await documentsOf(body)).toEqual(plain);
    const answer = await home.call('POST', '/containers/create', body);
    const { Id, Warnings } = answer.body as { Id: string; Warnings: string[] };
    expect(Warnings).toEqual([
      PLACES.find(([each]) => each === place)?.[2][name]?.discarded?.warning,
    ]);
    await remove(Id);
    const wrong = await home.call('POST', '/containers/create', bodyWith(place, name, 'much'));
    expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
  },
);

it.each(['valueOf', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
  'treats %s as an unknown name everywhere',
  async (name) => {
    const odd = (at: string, value: unknown): string =>
      at === ''
        ? `{"Image":"busybox","Cmd":["x"],"${name}":${JSON.stringify(value)}}`
        : `{"Image":"busybox","Cmd":["x"],"${at}":{"${name}":${JSON.stringify(value)}}}`;
    for (const at of ['', 'HostConfig', 'NetworkingConfig', 'ExposedPorts', 'Healthcheck']) {
      expect((await home.call('POST', '/containers/create', odd(at, 1))).status).toBe(400);
    }
    const networking = `{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":{"${name}":{}}}}`;
    expect(await home.call('POST', '/containers/create', networking)).toMatchObject(
      name === '__proto__'
        ? { status: 400, body: { code: 'invalid-argument' } }
        : { status: 404, body: { code: 'no-such-network' } },
    );
    for (const path of [`/containers/${name}/json`, `/images/${name}/json`]) {
      expect((await home.call('GET', path)).status).toBe(404);
    }
  },
);

it('refuses an endpoint of bridge for a box without a network', async () => {
  const NetworkingConfig = { EndpointsConfig: { bridge: {} } };
  const body = { Image: 'busybox', HostConfig: { NetworkMode: 'none' }, NetworkingConfig };
  const refused = await home.call('POST', '/containers/create', body);
  expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
  expect(JSON.stringify(refused.body)).toContain('networks in private (none) mode');
});

it.each([
  ['0/tcp', 'invalid-argument'],
  ['99999/tcp', 'invalid-argument'],
  ['80-90/tcp', 'unsupported-option'],
])('refuses the exposed port %s', async (port, code) => {
  const body = { Image: 'busybox', ExposedPorts: { [port]: {} } };
  const refused = await home.call('POST', '/containers/create', body);
  expect(refused).toMatchObject({ status: 400, body: { code } });
});
