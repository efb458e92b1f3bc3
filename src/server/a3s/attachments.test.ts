import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';
import { APP, MovingImages, OTHER, RULES } from '../testing/moving-images.ts';

let images: MovingImages;
let home: TestHome;
beforeEach(async () => {
  images = new MovingImages(APP, OTHER);
  home = new TestHome(images);
  home.trust.rules = RULES;
  await home.start();
});
afterEach(() => home.remove());

describe('the attachments of an image', () => {
  const path = '/a3s/v1/images/team.example/app:1/attachments';
  const data = Buffer.from('payload').toString('base64');
  const mediaType = 'application/vnd.dev.cosign.simplesigning.v1+json';
  const layer = { mediaType, annotations: { 'dev.cosignproject.cosign/signature': 's' }, data };
  const body = { kind: 'signature', layers: [layer] };

  it('lists the attachments of an image, and stores new ones', async () => {
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

  it('does not store an attachment that the registry does not take', async () => {
    expect(await home.call('POST', path, body)).toMatchObject({ status: 502 });
    expect(images.stored).toEqual([]);
  });

  it('attaches by digest to an image that is only in its registry', async () => {
    const subject = `sha256:${'c'.repeat(64)}` as const;
    const other = (name: string) => `/a3s/v1/images/team.example/other${name}/attachments`;
    // The request goes to the registry.
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
  ])('refuses an attachment %s', async (_, wrong) => {
    expect(await home.call('POST', `${path}?upload=0`, wrong)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument' },
    });
    expect(images.stored).toEqual([]);
  });

  it('refuses to attach to an image whose repository is ambiguous', async () => {
    images.change(APP.id, { tags: ['team.example/app:1', 'other.example/b:1'] });
    expect(await home.call('POST', path.replace('team.example/app:1', APP.id), body)).toMatchObject(
      {
        status: 400,
        body: { message: expect.stringContaining('several repositories') },
      },
    );
  });
});
