/**
 * One signed image: the decision in this process and `a3s-box image verify`, against
 * `cosign verify` of the same image from the same registry on this host.
 *
 * cosign gets manifest and signature from the registry each time. So does ours with
 * `--refresh-signatures`; else it has them in the store.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchAttachments } from '../../../src/distribution/fetch-attachments.ts';
import { isDigest } from '../../../src/oci/digest.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import { decideTrust } from '../../../src/trust/decide.ts';
import { loadPolicy } from '../../../src/trust/policy/load-policy.ts';
import type { LoadedPolicy } from '../../../src/trust/policy.ts';
import type { TrustQuestion } from '../../../src/trust/question.ts';
import { Actor } from '../../../test/e2e/actor.ts';
import { install } from '../../../test/e2e/installation.ts';
import { CosignPublisher } from '../../../test/peers/cosign-publisher.ts';
import type { Benchmark } from '../../benchmark.ts';
import { alone, compared, timed } from '../../statistics.ts';

/** Decisions that are timed together: a single one is too short for the clock. */
const DECISIONS = 20;

/** What is asked about the image, with what lies beside it in the registry. */
async function questionOf(publisher: CosignPublisher, digest: string): Promise<TrustQuestion> {
  if (!isDigest(digest)) throw new Error(`no digest: ${digest}`);
  const repository = publisher.place('app');
  const registry = openRegistry({ certsDirectories: [], registriesFiles: [] });
  try {
    return {
      ...{ reference: `${repository}:1`, repository, tag: '1' },
      ...{ manifestDigest: digest, indexDigests: [], confidential: false },
      attachments: await fetchAttachments(registry.repository(repository, { access: 'pull' }), [
        digest,
      ]),
    };
  } finally {
    await registry.close();
  }
}

async function decide(question: TrustQuestion, policy: LoadedPolicy): Promise<void> {
  const { verdict, reason } = await decideTrust(question, policy, new Date());
  if (verdict !== 'signed') throw new Error(reason);
}

/** Milliseconds of one of many. */
async function timedOne(act: () => Promise<void>): Promise<number> {
  const all = await timed(async () => {
    for (let count = 0; count < DECISIONS; count += 1) await act();
  });
  return all / DECISIONS;
}

export const verifyImage: Benchmark = {
  name: 'verify-image',
  async run({ samples, signal }) {
    const installation = await install();
    const publisher = await CosignPublisher.start();
    const actor = new Actor('root', installation);
    try {
      const digest = await publisher.publish('app:1');
      await publisher.sign('app:1', 'cosign');
      const image = publisher.place('app:1');
      const { directory } = actor;
      const key = readFileSync(join(publisher.registry.directory, 'cosign.pub'), 'utf8');
      const text = `images:\n  - pattern: "**"\n    require:\n      - { keys: [cosign.pub], transparencyLog: none }\n`;
      writeFileSync(join(directory, 'cosign.pub'), key);
      writeFileSync(join(actor.home, 'cosign.pub'), key, { mode: 0o600 });
      writeFileSync(join(actor.home, 'image-policy.yaml'), text, { mode: 0o600 });
      await actor.ok(['pull', '--quiet', image]);

      const question = await questionOf(publisher, digest);
      const load = (): Promise<LoadedPolicy> =>
        loadPolicy(
          { source: 'call', path: undefined, text, directory },
          { tufCache: join(directory, 'tuf') },
        );
      const policy = await load();
      const command = ['image', 'verify', image];
      const contestants = {
        cosign: () => timed(() => publisher.verify('app:1', 'cosign')),
        warm: () => timedOne(() => decide(question, policy)),
        cold: () => timedOne(async () => decide(question, await load())),
        stored: () => timed(() => actor.ok(command)),
        floor: () => timed(() => actor.ok(['--version'])),
        fresh: () => timed(() => actor.ok([...command, '--refresh-signatures'])),
      };
      const times = new Map(Object.keys(contestants).map((name) => [name, [] as number[]]));
      const timesOf = (name: keyof typeof contestants) => times.get(name) ?? [];
      for (let sample = 0; sample <= samples; sample += 1) {
        // In turns: a busy machine slows all alike. The first time is for compiler and caches, and
        // does not count.
        for (const [name, time] of Object.entries(contestants)) {
          signal.throwIfAborted();
          const taken = await time();
          if (sample > 0) times.get(name)?.push(taken);
        }
      }
      const peer = { name: 'cosign verify', samples: timesOf('cosign') };
      const line = (name: string, contestant: keyof typeof contestants, aim: string) =>
        compared(name, 'ms', timesOf(contestant), peer, aim);
      return [
        line('decide about an image', 'warm', '< 1'),
        line('the same, policy loaded anew', 'cold', '< 1'),
        line('image verify', 'stored', '< 1'),
        line('image verify --refresh-signatures', 'fresh', '< 1'),
        alone('a3s-box --version', 'ms', timesOf('floor'), ''),
      ];
    } finally {
      await actor.leave();
      await publisher.stop();
      installation.remove();
    }
  },
};
