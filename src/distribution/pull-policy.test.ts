import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildImage } from '../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../images/testing/temporary-store.ts';
import { parseReference } from '../oci/reference.ts';
import type { TrustQuestion } from '../trust/question.ts';
import { type PullRequest, type PullResult, pullImage } from './pull.ts';
import { decisionOf } from './testing/decisions.ts';
import { FakeRegistry } from './testing/fake-registry.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };

let temporary: TemporaryStore;
let registry: FakeRegistry;
let questions: TrustQuestion[];
beforeEach(async () => {
  temporary = await temporaryStore(undefined, AMD64);
  registry = new FakeRegistry();
  questions = [];
});
afterEach(() => temporary.remove());

const imageOf = (text: string, more: object = {}) =>
  buildImage({
    layers: [[{ path: 'base', data: 'base' }], [{ path: 'file', data: text }]],
    architecture: 'amd64',
    ...more,
  });

function pull(
  name: string,
  options: Partial<PullRequest> & { verdict?: 'signed' | 'unsigned' | 'refused' } = {},
): Promise<PullResult> {
  const { verdict, ...request } = options;
  return pullImage(
    {
      registry,
      images: temporary.store,
      platform: AMD64,
      decide: async (question) => {
        questions.push(question);
        return decisionOf(question, verdict, verdict === 'refused' ? 'rule 3 says no' : 'fine');
      },
    },
    { reference: parseReference(name), ...request },
  );
}

describe('the image policy', () => {
  it('asks the image policy with all attachments of manifest and index', async () => {
    const mine = imageOf('mine');
    const index = registry.pushIndex('1', [{ image: mine, platform: AMD64 }]);
    registry.pushArtifact({ tag: `${index.replace(':', '-')}.sig` }, [Buffer.from('index')]);
    registry.pushArtifact({ tag: `sha256-${mine.manifest.digest.slice(7)}.att` }, [
      Buffer.from('manifest'),
    ]);
    const { image } = await pull('team/app:1', { verdict: 'signed' });
    expect(questions[0]?.attachments.map(({ subject }) => subject).sort()).toEqual(
      [index, mine.manifest.digest].sort(),
    );
    const stored = await temporary.store.attachments([image.manifestDigest, index]);
    expect(stored.map(({ subject }) => subject).sort()).toEqual(
      [index, mine.manifest.digest].sort(),
    );
  });

  it('asks the image policy with the attachments from every repository that has the image', async () => {
    const image = imageOf('a');
    const digest = registry.push('1', image);
    const { tag } = { tag: `${digest.replace(':', '-')}.sig` };
    registry.pushArtifact({ tag }, [Buffer.from('signed in one')]);
    await pull('one.example/app:1');
    registry.manifests.delete(tag);
    await pull('two.example/app:1');
    expect(questions[1]?.attachments).toEqual([]);
    expect(await temporary.store.attachments([digest])).toHaveLength(1);
    await temporary.store.remove('two.example/app:1', { force: false, inUse: () => false });
    await pull('one.example/app:1');
    expect(await temporary.store.attachments([digest])).toEqual([]);
  });

  it('refuses an untrusted image before any layer is fetched, and stores nothing', async () => {
    registry.push('1', imageOf('a'));
    await expect(pull('team/app:1', { verdict: 'refused' })).rejects.toMatchObject({
      code: 'image-untrusted',
      message: 'rule 3 says no',
    });
    expect(registry.fetched).toEqual([]);
    expect(await temporary.remains()).toEqual([]);
  });

  it('fails a pull without asking the image policy when attachments cannot be listed', async () => {
    registry.push('1', imageOf('a'));
    registry.before = (what) => {
      if (what.endsWith('.sig')) throw Object.assign(new Error('cut'), { code: 'ECONNRESET' });
    };
    await expect(pull('team/app:1')).rejects.toThrow('cut');
    expect(questions).toEqual([]);
    expect(await temporary.remains()).toEqual([]);
  });

  it('stores the image that the policy judged, even if its tag moves meanwhile', async () => {
    const first = imageOf('good');
    const digest = registry.push('1', first);
    registry.before = (what) => {
      if (what.startsWith('referrers')) registry.push('1', imageOf('evil'));
    };
    const { image } = await pull('team/app:1');
    expect(questions[0]?.manifestDigest).toBe(digest);
    expect(image.id).toBe(first.config.digest);
    expect((await temporary.store.resolve('team/app:1')).id).toBe(first.config.digest);
  });
});
