import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Image } from '../../images/image.ts';
import { TestHome } from '../testing/home.ts';
import { APP, MovingImages, OTHER, RULES } from '../testing/moving-images.ts';
import { signatureFor } from '../testing/signed-images.ts';

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

describe('asking about trust', () => {
  it('returns the trust decision about an image, and refuses nothing', async () => {
    const path = '/a3s/v1/images/team.example/app:1/trust';
    expect(await home.call('GET', path)).toMatchObject({
      status: 200,
      body: { verdict: 'refused', rule: { pattern: 'team.example/**' } },
    });
    sign(APP);
    expect((await home.call('GET', path)).body).toMatchObject({ verdict: 'signed' });
  });

  it('refuses an unsigned image for confidential boxes', async () => {
    const path = `/a3s/v1/images/${OTHER.id}/trust`;
    images.change(OTHER.id, { tags: ['other.example/app:1'] });
    expect((await home.call('GET', path)).body).toMatchObject({ verdict: 'unsigned' });
    const { body } = await home.call('GET', `${path}?confidential=1`);
    expect(body).toMatchObject({ verdict: 'refused', rule: { action: 'allowUnsigned' } });
  });

  it('explains every decision and every rule', async () => {
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
