import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import type { Digest } from '../images/digest.ts';
import type { Image } from '../images/image.ts';
import { TrustDecision } from '../trust/decision.ts';
import { type JsonAnswer, TestHome } from './testing/home.ts';
import { FakeImages, TEST_IMAGE } from './testing/images.ts';
import { allow, deny, signatureFor, signedByTag, signedOnly, testPolicy } from './testing/trust.ts';

/** Images whose names move, and signatures that come and go. */
class MovingImages extends FakeImages {
  readonly images: Image[];
  stored: Attachment[] = [];

  constructor(...images: Image[]) {
    super(...images);
    this.images = images;
  }

  override async resolve(reference: string): Promise<Image> {
    const found = this.images.find(({ id, manifestDigest, tags }) =>
      [id, manifestDigest, ...tags].includes(reference),
    );
    if (found === undefined) throw new A3sError('no-such-image', `No such image: ${reference}`);
    return found;
  }

  override async attachments(subjects: readonly Digest[]): Promise<readonly Attachment[]> {
    return this.stored.filter(({ subject }) => subjects.includes(subject));
  }

  override async attach(subjects: readonly Digest[], attachments: readonly Attachment[]) {
    this.stored = [
      ...this.stored.filter(({ subject }) => !subjects.includes(subject)),
      ...attachments,
    ];
  }

  change(id: string, change: Partial<Image>): void {
    const index = this.images.findIndex((image) => image.id === id);
    const image = this.images[index];
    if (image !== undefined) this.images[index] = { ...image, ...change };
  }
}

const APP: Image = { ...TEST_IMAGE, tags: ['team.example/app:1'] };
const OTHER: Image = {
  ...TEST_IMAGE,
  id: `sha256:${'4'.repeat(64)}`,
  manifestDigest: `sha256:${'5'.repeat(64)}`,
  tags: ['other.example/app:1'],
};
const RULES = [signedOnly('team.example/**'), deny('bad.example/**'), allow('**')];

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
  it('makes nothing of an unsigned image where signatures are required', async () => {
    expect(await create('team.example/app:1')).toMatchObject(REFUSED);
    expect(await listed()).toEqual([]);
    expect(home.host.launches).toEqual([]);
  });

  it('makes nothing of an image that is denied, or that no rule matches', async () => {
    home.trust.rules = [deny('**')];
    expect(await create('other.example/app:1')).toMatchObject({ status: 403 });
    home.trust.rules = [allow('team.example/**')];
    expect(await create('other.example/app:1')).toMatchObject({ status: 403 });
  });

  it('puts the decision on record, and on show', async () => {
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

  it('does nothing under a standing policy that cannot be used', async () => {
    home.trust.malformed = new A3sError('policy-invalid', 'The policy has an unknown key');
    expect(await create('other.example/app:1')).toMatchObject({
      status: 400,
      body: { code: 'policy-invalid', message: 'The policy has an unknown key' },
    });
    expect(await listed()).toEqual([]);
  });

  it('asks about the manifest, the indexes that list it, and what is attached to either', async () => {
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
  it('takes an image whose every repository accepts it', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'third.example/app:1'] });
    await created(OTHER.id);
    expect(home.trust.asked.map(({ repository }) => repository)).toEqual([
      'other.example/app',
      'third.example/app',
    ]);
  });

  it('refuses one that any of its repositories refuses', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'bad.example/app:1'] });
    expect(await create(OTHER.id)).toMatchObject({
      status: 403,
      body: { message: 'bad.example/app is refused by rule bad.example/**' },
    });
    await created('other.example/app:1');
  });

  it('holds an image without a name against what matches everything', async () => {
    images.change(OTHER.id, { tags: [] });
    await created(OTHER.id);
    home.trust.rules = [allow('other.example/**')];
    expect(await create(OTHER.id)).toMatchObject({ status: 403 });
  });

  it('asks once for each tag where a signature has to name it', async () => {
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
  it('decides anew, before anything of a machine is made', async () => {
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

  it('decides anew for a box that has run', async () => {
    const id = await created('other.example/app:1');
    expect((await start(id)).status).toBe(204);
    await home.call('POST', `/containers/${id}/stop?t=0`);
    home.trust.rules = [deny('**')];
    expect(await start(id)).toMatchObject({ status: 403 });
    expect(home.host.launches).toHaveLength(1);
    expect((await inspect(id)).State).toMatchObject({ Status: 'exited', ExitCode: 125 });
  });

  it('does nothing under a policy that has become malformed', async () => {
    const id = await created('other.example/app:1');
    home.trust.malformed = new A3sError('policy-invalid', 'The policy is not YAML');
    expect(await start(id)).toMatchObject({ status: 400, body: { code: 'policy-invalid' } });
    expect(home.host.launches).toEqual([]);
    expect((await inspect(id)).State.Error).toBe('The policy is not YAML');
  });

  it('of a box whose tag has moved is the start of what it was made from', async () => {
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

  it('of a box that was made by id goes by the names of that time', async () => {
    sign(APP);
    const id = await created(APP.id);
    images.change(APP.id, { tags: ['bad.example/app:1'] });
    expect((await start(id)).status).toBe(204);
    images.stored = [];
    await home.call('POST', `/containers/${id}/stop?t=0`);
    expect(await start(id)).toMatchObject({ status: 403 });
  });

  it('is refused where the store has other content under the manifest’s digest', async () => {
    const id = await created('other.example/app:1');
    images.change(OTHER.id, { id: `sha256:${'8'.repeat(64)}` });
    expect(await start(id)).toMatchObject({
      status: 403,
      body: { code: 'image-untrusted', message: expect.stringContaining(OTHER.id) },
    });
    expect(home.host.launches).toEqual([]);
  });

  it('is refused for an image that has gone', async () => {
    const id = await created('other.example/app:1');
    images.images.splice(0);
    expect(await start(id)).toMatchObject({ status: 404, body: { code: 'no-such-image' } });
  });

  it('goes on with records that are older than trust', async () => {
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

describe('a policy for one call', () => {
  const STRICT = `sha256:${'e'.repeat(64)}`;

  beforeEach(() => {
    home.trust.policies.set(STRICT, testPolicy([deny('**')], 'call'));
  });

  it('replaces the standing one for that call only', async () => {
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

  it('can allow what the standing one refuses, even where that is malformed', async () => {
    const lax = `sha256:${'d'.repeat(64)}`;
    home.trust.policies.set(lax, testPolicy([allow('**')], 'call'));
    home.trust.malformed = new A3sError('policy-invalid', 'The policy is not YAML');
    const id = await created('team.example/app:1', `?imagePolicy=${lax}`);
    expect(await start(id)).toMatchObject({ status: 400 });
  });

  it('is handed over first', async () => {
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

  it('has to be one that was handed over', async () => {
    expect(await create('other.example/app:1', '?imagePolicy=sha256:0')).toMatchObject({
      status: 404,
      body: { code: 'no-such-policy' },
    });
    const id = await created('other.example/app:1');
    expect(await start(id, '?imagePolicy=sha256:0')).toMatchObject({ status: 404 });
    expect(home.host.launches).toEqual([]);
  });
});

it('refuses to take stored signatures for fresh ones when the registry does not answer', async () => {
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

it('tells of decisions in events', async () => {
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

it('says by which policy it decides, or why it cannot', async () => {
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

describe('what lies beside an image', () => {
  const path = '/a3s/v1/images/team.example/app:1/attachments';
  const data = Buffer.from('payload').toString('base64');
  const mediaType = 'application/vnd.dev.cosign.simplesigning.v1+json';
  const layer = { mediaType, annotations: { 'dev.cosignproject.cosign/signature': 's' }, data };
  const body = { kind: 'signature', layers: [layer] };

  it('is shown, and grows by what is put there', async () => {
    const put = await home.call('POST', `${path}?upload=0`, body);
    expect(put).toMatchObject({ status: 201, body: { subject: APP.manifestDigest } });
    const { digest } = put.body as { digest: string };
    const [shown] = (await home.call('GET', path)).body as { manifest: string; blobs: unknown[] }[];
    expect(shown).toMatchObject({
      ...{ subject: APP.manifestDigest, attachedBy: 'tag', digest },
      blobs: [{ size: 7 }],
    });
    expect(JSON.parse(Buffer.from(shown?.manifest ?? '', 'base64').toString())).toMatchObject({
      layers: [{ mediaType, annotations: layer.annotations }],
    });
    const whole = (await home.call('GET', `${path}?content=1`)).body;
    expect(whole).toMatchObject([{ blobs: [{ data }] }]);
    const { digest: blob } = (shown?.blobs[0] ?? {}) as { digest: string };
    const one = (await home.call('GET', `${path}?content=1&blob=${blob}`)).body;
    expect(one).toMatchObject([{ blobs: [{ data }] }]);
    const none = (await home.call('GET', `${path}?content=1&blob=${digest}`)).body;
    expect(none).toMatchObject([{ blobs: [{ size: 7 }] }]);
    expect(JSON.stringify(none)).not.toContain(data);
    expect((await home.call('GET', `${path}?digest=${digest}`)).body).toHaveLength(1);
    expect((await home.call('GET', `${path}?digest=sha256:0`)).body).toEqual([]);
  });

  it('is not put there where the registry does not take it', async () => {
    expect(await home.call('POST', path, body)).toMatchObject({ status: 502 });
    expect(images.stored).toEqual([]);
  });

  it('may be of an image that is in its registry alone, by digest', async () => {
    const subject = `sha256:${'c'.repeat(64)}` as const;
    const other = (name: string) => `/a3s/v1/images/team.example/other${name}/attachments`;
    // It is the registry that is asked.
    expect(await home.call('POST', other(`@${subject}`), body)).toMatchObject({ status: 502 });
    for (const [name, wanted] of [
      [':1', { status: 404, body: { code: 'no-such-image' } }],
      [`@${subject}?upload=0`, { status: 404, body: { code: 'no-such-image' } }],
    ] as const) {
      const [reference = '', query] = name.split('?');
      const call = query === undefined ? other(reference) : `${other(reference)}?${query}`;
      expect(await home.call('POST', call, body)).toMatchObject(wanted);
    }
    const wrong = { ...body, subject: APP.manifestDigest };
    expect(await home.call('POST', other(`@${subject}`), wrong)).toMatchObject({
      ...{ status: 400, body: { code: 'invalid-argument' } },
    });
    expect(images.stored).toEqual([]);
  });

  it.each([
    ['of another digest', { ...body, subject: `sha256:${'c'.repeat(64)}` }],
    ['of no digest', { ...body, subject: 'sha256:../x' }],
    ['of no kind', { ...body, kind: 'sbom' }],
    ['of a type for the other kind', { ...body, kind: 'attestation' }],
    ['that is not base64', { ...body, layers: [{ ...layer, data: 'a b' }] }],
    ['that is empty', { ...body, layers: [{ ...layer, data: '' }] }],
    ['in no layer', { ...body, layers: [] }],
  ])('is nothing %s', async (_, wrong) => {
    expect(await home.call('POST', `${path}?upload=0`, wrong)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument' },
    });
    expect(images.stored).toEqual([]);
  });

  it('needs one repository to go to', async () => {
    images.change(APP.id, { tags: ['team.example/app:1', 'other.example/b:1'] });
    expect(await home.call('POST', path.replace('team.example/app:1', APP.id), body)).toMatchObject(
      {
        status: 400,
        body: { message: expect.stringContaining('several repositories') },
      },
    );
  });
});

describe('asking about trust', () => {
  it('is answered with the decision, and refuses nothing', async () => {
    const path = '/a3s/v1/images/team.example/app:1/trust';
    expect(await home.call('GET', path)).toMatchObject({
      status: 200,
      body: { verdict: 'refused', rule: { pattern: 'team.example/**' } },
    });
    sign(APP);
    expect((await home.call('GET', path)).body).toMatchObject({ verdict: 'signed' });
  });

  it('is answered with every decision and every rule', async () => {
    images.change(OTHER.id, { tags: ['other.example/app:1', 'bad.example/app:1'] });
    const { body } = await home.call('GET', `/a3s/v1/images/${OTHER.id}/trust/explanation`);
    expect(body).toMatchObject({
      decisions: [{ verdict: 'unsigned' }, { verdict: 'refused' }],
      rules: [
        { action: 'require', require: [{ threshold: 1, keys: [], transparencyLog: 'none' }] },
        { action: 'deny' },
        { action: 'allowUnsigned' },
      ],
    });
  });
});
