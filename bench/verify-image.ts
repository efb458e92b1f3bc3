/**
 * One signed image: the decision in this process and `a3s-box image verify`, against `cosign verify` of the same image from
 * the same registry on this host.
 *
 * cosign gets manifest and signature from the registry each time. So does ours with `--refresh-signatures`; else it has
 * them in the store.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchAttachments } from '../src/distribution/fetch-attachments.ts';
import { isDigest } from '../src/images/digest.ts';
import { openRegistry } from '../src/registry/open-registry.ts';
import { type StartedRegistry, startRegistry } from '../src/registry/testing/start-registry.ts';
import { decideTrust } from '../src/trust/decide.ts';
import { loadPolicy } from '../src/trust/load-policy.ts';
import type { LoadedPolicy } from '../src/trust/policy.ts';
import type { TrustQuestion } from '../src/trust/question.ts';
import { Actor } from '../test/e2e/actor.ts';
import { install } from '../test/e2e/installation.ts';
import { buildImage, dockerArchive } from '../test/images/build-image.ts';
import { alone, type Benchmark, compared, timed } from './statistics.ts';

/** Decisions that are timed as one: a single one is too short for the clock. */
const DECISIONS = 20;

const run = promisify(execFile);

class Publisher {
  readonly image: string;
  readonly #registry: StartedRegistry;

  constructor(registry: StartedRegistry) {
    this.#registry = registry;
    this.image = `${registry.host}/team/app:1`;
  }

  async tool(program: string, ...args: readonly string[]): Promise<string> {
    const cwd = this.#registry.directory;
    const env = { PATH: process.env['PATH'], HOME: cwd, COSIGN_PASSWORD: '' };
    return (await run(program, args, { cwd, env })).stdout;
  }

  async publish(): Promise<void> {
    const archive = join(this.#registry.directory, 'image.tar');
    const layers = [[{ path: 'file', data: Buffer.from('content') }]];
    writeFileSync(archive, dockerArchive([buildImage({ name: 'test/app:1', layers })]));
    const target = `docker://${this.image}`;
    await this.tool(
      'skopeo',
      'copy',
      '--dest-tls-verify=false',
      `docker-archive:${archive}`,
      target,
    );
    await this.tool('cosign', 'generate-key-pair');
    const offline = ['--yes', '--tlog-upload=false', '--key', 'cosign.key'];
    await this.tool('cosign', 'sign', ...offline, this.image);
  }

  async verify(): Promise<void> {
    const trusting = ['--insecure-ignore-tlog=true', '--key', 'cosign.pub'];
    await this.tool('cosign', 'verify', ...trusting, this.image);
  }

  async question(): Promise<TrustQuestion> {
    const at = `docker://${this.image}`;
    const format = ['--format', '{{.Digest}}'];
    const text = await this.tool('skopeo', 'inspect', '--tls-verify=false', ...format, at);
    const digest = text.trim();
    if (!isDigest(digest)) throw new Error(`no digest: ${digest}`);
    const registry = openRegistry({ certsDirectories: [], registriesFiles: [] });
    try {
      const repository = this.image.replace(/:1$/, '');
      const place = registry.repository(repository, { access: 'pull' });
      return {
        ...{ reference: this.image, repository, tag: '1' },
        ...{ manifestDigest: digest, indexDigests: [] },
        attachments: await fetchAttachments(place, [digest]),
      };
    } finally {
      await registry.close();
    }
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
  async run(samples) {
    const installation = await install();
    const registry = await startRegistry();
    const actor = new Actor('root', installation);
    try {
      const publisher = new Publisher(registry);
      await publisher.publish();
      const { directory } = actor;
      const key = readFileSync(join(registry.directory, 'cosign.pub'), 'utf8');
      const text = `images:\n  - pattern: "**"\n    require:\n      - { keys: [cosign.pub], transparencyLog: none }\n`;
      writeFileSync(join(directory, 'cosign.pub'), key);
      writeFileSync(join(actor.home, 'cosign.pub'), key, { mode: 0o600 });
      writeFileSync(join(actor.home, 'image-policy.yaml'), text, { mode: 0o600 });
      await actor.ok(['pull', '--quiet', publisher.image]);

      const question = await publisher.question();
      const load = (): Promise<LoadedPolicy> =>
        loadPolicy(
          { source: 'call', path: undefined, text, directory },
          { tufCache: join(directory, 'tuf') },
        );
      const policy = await load();
      const command = ['image', 'verify', publisher.image];
      const contestants = {
        cosign: () => timed(() => publisher.verify()),
        warm: () => timedOne(() => decide(question, policy)),
        cold: () => timedOne(async () => decide(question, await load())),
        stored: () => timed(() => actor.ok(command)),
        floor: () => timed(() => actor.ok(['--version'])),
        fresh: () => timed(() => actor.ok([...command, '--refresh-signatures'])),
      };
      const times = new Map(Object.keys(contestants).map((name) => [name, [] as number[]]));
      const timesOf = (name: keyof typeof contestants) => times.get(name) ?? [];
      for (let sample = 0; sample <= samples; sample += 1) {
        // In turns: a busy machine slows all alike. The first time is for compiler and caches, and does not count.
        for (const [name, time] of Object.entries(contestants)) {
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
      await registry.stop();
      installation.remove();
    }
  },
};
