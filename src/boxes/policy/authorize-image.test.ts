import { describe, expect, it } from 'vitest';
import type { Image } from '../../images/image.ts';
import { FakeImages, TEST_IMAGE } from '../../server/testing/images.ts';
import { FakeTrust, NO_REGISTRY } from '../../server/testing/signed-images.ts';
import { judgeImage } from './authorize-image.ts';

const IMAGE: Image = { ...TEST_IMAGE, tags: ['team.example/app:1'] };

describe('image decisions', () => {
  it('makes at most four trust decisions at once, because signatures take memory', async () => {
    let current = 0;
    let most = 0;
    class CountingImages extends FakeImages {
      override async attachments() {
        current += 1;
        most = Math.max(most, current);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return [];
      }
    }
    class CountingTrust extends FakeTrust {
      override async decide(...args: Parameters<FakeTrust['decide']>) {
        const decision = await super.decide(...args);
        current -= 1;
        return decision;
      }
    }
    const rt = {
      images: new CountingImages(IMAGE),
      trust: new CountingTrust(),
      registry: NO_REGISTRY,
      shutdown: new AbortController().signal,
    };
    const subject = {
      image: { ...IMAGE, indexDigests: [] },
      ...{ reference: 'x', names: IMAGE.tags, confidential: false },
    };
    const decisions = await Promise.all(Array.from({ length: 20 }, () => judgeImage(rt, subject)));
    expect(decisions.every(({ verdict }) => verdict === 'unsigned')).toBe(true);
    expect(most).toBeLessThanOrEqual(4);
  });
});
