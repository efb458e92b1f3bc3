import { describe, expect, it } from 'vitest';
import type { Digest } from '../oci/digest.ts';
import type { Registry } from '../registry/registry.ts';
import { freshAttachments } from './refresh.ts';
import { FakeRegistry } from './testing/fake-registry.ts';

const IMAGE: Digest = `sha256:${'a'.repeat(64)}`;
const INDEX: Digest = `sha256:${'b'.repeat(64)}`;

const tagOf = (digest: Digest) => `sha256-${digest.slice(7)}.sig`;

function fresh(registry: Registry, names: readonly string[]) {
  return freshAttachments(registry, {
    names,
    subjects: [IMAGE, INDEX],
    credentials: undefined,
    signal: new AbortController().signal,
  });
}

/** A registry that opens each repository in its own fake registry. */
function byRepository(registries: Readonly<Record<string, FakeRegistry>>): Registry {
  const any = new FakeRegistry();
  return Object.assign(any, {
    repository: (...[name, options]: Parameters<Registry['repository']>) =>
      (registries[name] ?? any).repository(name, options),
  });
}

describe('refreshed signatures', () => {
  it('fetches the signatures of an image and of its index, even in one artifact', async () => {
    const registry = new FakeRegistry();
    const digest = registry.pushArtifact({ tag: tagOf(IMAGE) }, [Buffer.from('both')]);
    const manifest = registry.manifests.get(digest) ?? expect.fail();
    registry.manifests.set(tagOf(INDEX), manifest);
    const found = await fresh(registry, ['r.example/app:1', 'r.example/app:2']);
    expect(found).toMatchObject([
      { subject: IMAGE, digest },
      { subject: INDEX, digest },
    ]);
  });

  it('stops waiting for signatures after a timeout', async () => {
    const registry = new FakeRegistry();
    registry.before = async () => {
      const { signal } = registry.opened[0] ?? {};
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
    };
    const request = { names: ['r.example/app:1'], subjects: [IMAGE], credentials: undefined };
    const { signal } = new AbortController();
    const work = freshAttachments(registry, { ...request, signal, deadlineMs: 50 });
    await expect(work).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: 'Cannot refresh the signatures at r.example/app: it took longer than 0.05 seconds',
    });
  });

  it('limits the signatures of several repositories as those of one', async () => {
    const registries: Record<string, FakeRegistry> = {};
    for (const name of ['r.example/a', 'r.example/b']) {
      const registry = new FakeRegistry();
      for (let count = 0; count < 40; count += 1) {
        registry.pushArtifact({ subject: IMAGE }, [Buffer.from(`${name} ${count}`)]);
      }
      registries[name] = registry;
    }
    const registry = byRepository(registries);
    expect(await fresh(registry, ['r.example/a:1'])).toHaveLength(40);
    await expect(fresh(registry, ['r.example/a:1', 'r.example/b:1'])).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('there are 80 artifacts'),
    });
  });
});
