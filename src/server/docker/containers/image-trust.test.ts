import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import type { Image } from '../../../images/image.ts';
import type { Digest } from '../../../oci/digest.ts';
import { TrustDecision } from '../../../trust/decision.ts';
import { type JsonAnswer, TestHome } from '../../testing/home.ts';
import { APP, MovingImages, OTHER, RULES } from '../../testing/moving-images.ts';
import { allow, deny, signatureFor, signedByTag, testPolicy } from '../../testing/signed-images.ts';

let images: MovingImages;
let home: TestHome;
beforeEach(async () => {
  images = new MovingImages(APP, OTHER);
  home = new TestHome(images);
  home.trust.rules = RULES;
  await home.start();
});
afterEach(() => home.remove());

const sign = (image: Image): void => {
  images.stored.push(signatureFor(image.manifestDigest));
};
const create = (image: string, query = ''): Promise<JsonAnswer> =>
  home.call('POST', `/containers/create${query}`, { Image: image, Cmd: ['sleep', 'infinity'] });
const created = async (image: string, query = ''): Promise<string> => {
  const { status, body } = await create(image, query);
  expect(status).toBe(201);
  return (body as { Id: string }).Id;
};
const start = (id: string, query = ''): Promise<JsonAnswer> =>
  home.call('POST', `/containers/${id}/start${query}`);

interface Inspected {
  readonly State: { readonly Status: string; readonly Error: string; readonly ExitCode: number };
  readonly Trust: TrustDecision | null;
  readonly TrustAtCreate: TrustDecision | null;
}

async function inspect(id: string): Promise<Inspected> {
  return (await home.call('GET', `/containers/${id}/json`)).body as Inspected;
}

async function listed(): Promise<readonly { readonly Trust: string }[]> {
  return (await home.call('GET', '/containers/json?all=1')).body as { Trust: string }[];
}

const REFUSED = {
  status: 403,
  body: {
    code: 'image-untrusted',
    message: 'team.example/app is refused by rule team.example/**',
    remedy: expect.stringContaining('a3s-box trust explain team.example/app:1'),
  },
};

describe('create', () => {
  it('creates no box from an unsigned image when signatures are required', async () => {
    expect(await create('team.example/app:1')).toMatchObject(REFUSED);
    expect(await listed()).toEqual([]);
    expect(home.host.launches).toEqual([]);
  });

  it('creates no box from an image that is denied or that no rule matches', async () => {
    home.trust.rules = [deny('**')];
    expect(await create('other.example/app:1')).toMatchObject({ status: 403 });
    home.trust.rules = [allow('team.example/**')];
    expect(await create('other.example/app:1')).toMatchObject({ status: 403 });
  });

  it('records and shows the trust decision about a box', async () => {
    sign(APP);
    const id = await created('team.example/app:1');
    await created('other.example/app:1');
    const { Trust, TrustAtCreate } = await inspect(id);
    expect(TrustDecision.parse(Trust)).toMatchObject({
      verdict: 'signed',
      image: { repository: 'team.example/app', manifestDigest: APP.manifestDigest },
      rule: { pattern: 'team.example/**', action: 'require' },
    });
    expect(TrustAtCreate).toEqual(Trust);
    expect((await listed()).map(({ Trust }) => Trust)).toEqual(['unsigned', 'signed']);
  });

  it('creates no box while the standing policy cannot be used', async () => {
    home.trust.malformed = new A3sError('policy-invalid', 'The policy has an unknown key');
    expect(await create('other.example/app:1')).toMatchObject({
      status: 400,
      body: { code: 'policy-invalid', message: 'The policy has an unknown key' },
    });
    expect(await listed()).toEqual([]);
  });

  it('decides about the manifest, its indexes and the attachments of both', async () => {
    const index: Digest = `sha256:${'9'.repeat(64)}`;
    images.change(APP.id, { indexDigests: [index] });
    images.stored.push(signatureFor(index));
    await created('team.example/app:1');
    expect(home.trust.asked).toMatchObject([
      {
        reference: 'team.example/app:1',
        repository: 'team.example/app',
        tag: '1',
        manifestDigest: APP.manifestDigest,
        indexDigests: [index],
        attachments: [{ subject: index }],
      },
    ]);
  });
});

describe('create by id', () => {
  it('creates a box by image id when every repository of the image is accepted', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'third.example/app:1'] });
    await created(OTHER.id);
    expect(home.trust.asked.map(({ repository }) => repository)).toEqual([
      'other.example/app',
      'third.example/app',
    ]);
  });

  it('refuses to create a box by image id when any repository of the image is refused', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'bad.example/app:1'] });
    expect(await create(OTHER.id)).toMatchObject({
      status: 403,
      body: { message: 'bad.example/app is refused by rule bad.example/**' },
    });
    await created('other.example/app:1');
  });

  it('decides about an image without a name by rules that match everything', async () => {
    images.change(OTHER.id, { tags: [] });
    await created(OTHER.id);
    home.trust.rules = [allow('other.example/**')];
    expect(await create(OTHER.id)).toMatchObject({ status: 403 });
  });

  it('decides once per tag where a signature has to name the tag', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'other.example/app:2'] });
    await created(OTHER.id);
    expect(home.trust.asked).toHaveLength(1);
    sign(OTHER);
    home.trust.rules = [signedByTag('**')];
    await created(OTHER.id);
    expect(home.trust.asked.slice(1).map(({ tag }) => tag)).toEqual(['1', '2']);
  });
});

describe('start', () => {
  it('decides about the image again at each start, before it launches anything', async () => {
    sign(APP);
    const id = await created('team.example/app:1');
    images.stored = [];
    expect(await start(id)).toMatchObject(REFUSED);
    expect(home.host.launches).toEqual([]);
    const { State, Trust, TrustAtCreate } = await inspect(id);
    expect(State).toMatchObject({
      Status: 'created',
      ExitCode: 125,
      Error: 'team.example/app is refused by rule team.example/**',
    });
    expect([Trust?.verdict, TrustAtCreate?.verdict]).toEqual(['refused', 'signed']);
    expect((await listed()).map(({ Trust }) => Trust)).toEqual(['refused']);
    sign(APP);
    expect((await start(id)).status).toBe(204);
    expect((await inspect(id)).Trust?.verdict).toBe('signed');
  });

  it('decides again about a box that has run before', async () => {
    const id = await created('other.example/app:1');
    expect((await start(id)).status).toBe(204);
    await home.call('POST', `/containers/${id}/stop?t=0`);
    home.trust.rules = [deny('**')];
    expect(await start(id)).toMatchObject({ status: 403 });
    expect(home.host.launches).toHaveLength(1);
    expect((await inspect(id)).State).toMatchObject({ Status: 'exited', ExitCode: 125 });
  });

  it('starts no box under a policy that has become malformed', async () => {
    const id = await created('other.example/app:1');
    home.trust.malformed = new A3sError('policy-invalid', 'The policy is not YAML');
    expect(await start(id)).toMatchObject({ status: 400, body: { code: 'policy-invalid' } });
    expect(home.host.launches).toEqual([]);
    expect((await inspect(id)).State.Error).toBe('The policy is not YAML');
  });

  it('starts a box from its own image although the tag has moved', async () => {
    sign(APP);
    const id = await created('team.example/app:1');
    images.change(APP.id, { tags: [] });
    images.change(OTHER.id, { tags: ['team.example/app:1'] });
    expect((await start(id)).status).toBe(204);
    expect(home.trust.asked.at(-1)).toMatchObject({
      repository: 'team.example/app',
      tag: '1',
      manifestDigest: APP.manifestDigest,
    });
    expect(await create('team.example/app:1')).toMatchObject(REFUSED);
  });

  it('starts a box created by image id under the names that the image had then', async () => {
    sign(APP);
    const id = await created(APP.id);
    images.change(APP.id, { tags: ['bad.example/app:1'] });
    expect((await start(id)).status).toBe(204);
    images.stored = [];
    await home.call('POST', `/containers/${id}/stop?t=0`);
    expect(await start(id)).toMatchObject({ status: 403 });
  });

  it('refuses to start when the store has other content under the manifest’s digest', async () => {
    const id = await created('other.example/app:1');
    images.change(OTHER.id, { id: `sha256:${'8'.repeat(64)}` });
    expect(await start(id)).toMatchObject({
      status: 403,
      body: { code: 'image-untrusted', message: expect.stringContaining(OTHER.id) },
    });
    expect(home.host.launches).toEqual([]);
  });

  it('refuses to start a box whose image has been removed', async () => {
    const id = await created('other.example/app:1');
    images.images.splice(0);
    expect(await start(id)).toMatchObject({ status: 404, body: { code: 'no-such-image' } });
  });

  it('reads records without trust decisions, and decides at the next start', async () => {
    const id = await created('other.example/app:1');
    const { definition } = home.runtime.store.expect(id);
    const { trust: _, ...older } = definition;
    const { names: __, ...image } = older.image;
    home.runtime.store.remove(id);
    home.runtime.store.insert({ ...older, image }, 'old');
    await home.stop();
    await home.start();
    expect((await inspect(id)).Trust).toBeNull();
    expect((await listed()).map(({ Trust }) => Trust)).toEqual(['']);
    expect((await start(id)).status).toBe(204);
    expect((await inspect(id)).Trust?.image.repository).toBe('other.example/app');
  });
});

describe('an image policy for one call', () => {
  const STRICT = `sha256:${'e'.repeat(64)}`;

  beforeEach(() => {
    home.trust.policies.set(STRICT, testPolicy([deny('**')], 'call'));
  });

  it('replaces the standing policy for one call only', async () => {
    expect(await create('other.example/app:1', `?imagePolicy=${STRICT}`)).toMatchObject({
      status: 403,
      body: {
        remedy: 'See why with: a3s-box trust explain --image-policy FILE other.example/app:1',
      },
    });
    const id = await created('other.example/app:1', '?imagePolicy=');
    expect(await start(id, `?imagePolicy=${STRICT}`)).toMatchObject({ status: 403 });
    expect((await start(id)).status).toBe(204);
  });

  it('allows with a policy for one call what the standing policy refuses, even if malformed', async () => {
    const lax = `sha256:${'d'.repeat(64)}`;
    home.trust.policies.set(lax, testPolicy([allow('**')], 'call'));
    home.trust.malformed = new A3sError('policy-invalid', 'The policy is not YAML');
    const id = await created('team.example/app:1', `?imagePolicy=${lax}`);
    expect(await start(id)).toMatchObject({ status: 400 });
  });

  it('uploads a policy before a call names it', async () => {
    const path = '/a3s/v1/image-policies';
    const { status, body } = await home.call('POST', path, { text: 'images: []', directory: '/' });
    expect(status).toBe(201);
    const query = `?imagePolicy=${(body as { id: string }).id}`;
    expect(await create('other.example/app:1', query)).toMatchObject({ status: 403 });
    expect(await home.call('POST', path, { text: 'rules: []', directory: '/' })).toMatchObject({
      body: { code: 'policy-invalid' },
    });
    for (const wrong of [{ text: 'images: []' }, { text: 'images: []', directory: 'relative' }]) {
      expect(await home.call('POST', path, wrong)).toMatchObject({ status: 400 });
    }
  });

  it('refuses a policy id that was not uploaded', async () => {
    expect(await create('other.example/app:1', '?imagePolicy=sha256:0')).toMatchObject({
      status: 404,
      body: { code: 'no-such-policy' },
    });
    const id = await created('other.example/app:1');
    expect(await start(id, '?imagePolicy=sha256:0')).toMatchObject({ status: 404 });
    expect(home.host.launches).toEqual([]);
  });
});

it('refuses stored signatures when fresh ones are required and the registry does not answer', async () => {
  sign(APP);
  const refused = await create('team.example/app:1', '?refreshSignatures=1');
  expect(refused).toMatchObject({
    status: 502,
    body: {
      code: 'registry-unreachable',
      message: expect.stringContaining('Cannot refresh the signatures at team.example/app'),
      remedy: expect.stringContaining('--refresh-signatures'),
    },
  });
  await created('team.example/app:1');
});

it('puts trust decisions into events', async () => {
  const since = Math.floor(Date.now() / 1000) - 1;
  sign(APP);
  const id = await created('team.example/app:1');
  await start(id);
  images.stored = [];
  await create('team.example/app:1');
  const until = Math.ceil(Date.now() / 1000) + 1;
  const { body } = await home.call('GET', `/events?since=${since}&until=${until}`);
  const events = String(body)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Type: string; Action: string; Actor: unknown });
  const decided = { trust: 'signed', trustRule: 'team.example/**' };
  expect(events).toMatchObject([
    { Type: 'container', Action: 'create', Actor: { Attributes: decided } },
    { Type: 'container', Action: 'start', Actor: { Attributes: decided } },
    {
      Type: 'image',
      Action: 'trust-refused',
      Actor: {
        ID: APP.id,
        Attributes: {
          name: 'team.example/app:1',
          trustRule: 'team.example/**',
          reason: 'team.example/app is refused by rule team.example/**',
        },
      },
    },
  ]);
});

it('shows the policy in force, or why there is none', async () => {
  const policyOf = async (): Promise<unknown> =>
    ((await home.call('GET', '/a3s/v1/host')).body as { imagePolicy: unknown }).imagePolicy;
  expect(await policyOf()).toMatchObject({
    source: 'file',
    path: '/etc/a3s-box/image-policy.yaml',
    rules: RULES.length,
  });
  home.trust.malformed = new A3sError('policy-invalid', 'The policy is not YAML');
  expect(await policyOf()).toEqual({
    problem: { code: 'policy-invalid', message: 'The policy is not YAML' },
  });
});
