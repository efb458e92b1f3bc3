/**
 * A builder while clients use it: its proxy, and the builds that are under way in it.
 *
 * @module
 */
import { Semaphore } from '../async/semaphore.ts';
import { A3sError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import type { Digest } from '../oci/digest.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import type { Credentials } from '../registry/registry.ts';
import type { LoadedPolicy } from '../trust/policy.ts';
import type { Builder } from './builder.ts';
import { CachePolicy } from './cache-policy.ts';
import { StepProxy } from './egress/step-proxy.ts';
import type { BuildHost } from './host.ts';
import type { BaseImages } from './proxy/base-images.ts';
import { servePolicyProxy } from './proxy/policy-proxy.ts';
import { ProxyAnswers } from './proxy/proxy-answers.ts';
import {
  pruneAll,
  removeContainers,
  removeImage,
  removeNames,
  trimCache,
} from './relay/builder-api.ts';
import type { RefusedRequests } from './relay/explain.ts';
import type { PushTarget } from './relay/pushes.ts';
import { importResult, type Result } from './result/import-result.ts';
import { UsedImages } from './used-images.ts';

/** At once. Each reads up to three blobs, and an agent copies eight files at once. */
const IMPORTS = 2;
/** A client that leaves does not keep a result in the builder. */
const REMOVE_MS = 30_000;

/** How a build is asked for. */
export interface BuildKind {
  /** Whether the builder without BuildKit is used. */
  readonly isClassic: boolean;
  /** The client's, by the host of the registry. */
  readonly logins: ReadonlyMap<string, Credentials>;
  /** Where it is to write. */
  readonly pushes: readonly PushTarget[];
}

interface Running extends Pick<BuildKind, 'logins' | 'pushes'> {
  readonly policy: string;
  readonly bases: UsedImages;
  pulls: boolean;
  platforms: readonly Platform[];
}

/** A build that is under way. */
export interface BegunBuild {
  /** Digest of the policy that it began by. */
  readonly policy: string;
  /** Has images come from their registries, though they be here. */
  pull(): void;
  /** Has images come for these platforms. */
  aimAt(platforms: readonly Platform[]): void;
  /**
   * Makes an image of its result, which ends the build. On record are the images that were asked
   * for while it ran: builds that run at once have one builder, which does not say for which of
   * them it asks.
   *
   * The result is removed from the builder once no build runs, since another one may have the same.
   */
  import(result: Omit<Result, 'bases'>, signal: AbortSignal): Promise<Image>;
  /** Whatever became of the build. */
  end(): void;
}

export class HeldBuilder {
  readonly builder: Builder;
  readonly #host: BuildHost;
  readonly #cachePolicy: CachePolicy;
  readonly #answers: ProxyAnswers;
  readonly #steps: StepProxy;
  readonly #endProxy: () => void;
  readonly #endStepProxy: () => void;
  readonly #beginning = new Semaphore(1);
  readonly #importing = new Semaphore(IMPORTS);
  /** Those that are to be removed from the builder. */
  readonly #results = new Set<Digest>();
  readonly #builds = new Set<Running>();

  constructor(host: BuildHost, builder: Builder, images: BaseImages) {
    this.#host = host;
    this.builder = builder;
    this.#cachePolicy = new CachePolicy(host.directory, builder);
    this.#answers = new ProxyAnswers(host, images, {
      pulls: () => [...this.#builds].some((build) => build.pulls),
      pushes: () => [...this.#builds].flatMap((build) => build.pushes),
      platforms: () => [...this.#builds].flatMap((build) => build.platforms),
      login: (domain) =>
        [...this.#builds].map(({ logins }) => logins.get(domain)).find((one) => one !== undefined),
      // All of them began by the same one.
      policy: () => [...this.#builds][0]?.policy,
      used: (image) => {
        for (const { bases } of this.#builds) bases.add(image);
      },
    });
    this.#endProxy = servePolicyProxy(builder, this.#answers);
    const { egress, dialer, log } = host;
    this.#steps = new StepProxy({ egress, dialer, log, isUsed: () => this.#builds.size > 0 });
    this.#endStepProxy = builder.serveStepProxy((connection) => this.#steps.serve(connection));
  }

  /**
   * Begins a build by this policy: nothing in the builder has a name, and its cache has nothing
   * that another policy let in.
   *
   * @throws A3sError `conflict` while builds by another policy run, `policy-invalid` for what steps
   *   may reach, `builder-failed`
   */
  async begin(
    { digest: policy }: LoadedPolicy,
    { isClassic, logins, pushes }: BuildKind,
    signal: AbortSignal,
  ): Promise<BegunBuild> {
    await this.#host.egress.standing();
    return await this.#beginning.run(async () => {
      // It may have waited for long.
      signal.throwIfAborted();
      const cache = await this.#cachePolicy.read();
      if (cache?.policy !== policy) {
        if (this.#builds.size > 0) throw changedMeanwhile();
        if (cache?.isClassic === true) throw holdsMore(this.builder);
        await pruneAll(this.builder, signal);
        await this.#cachePolicy.record({ policy, isClassic });
      } else {
        if (this.#builds.size === 0) {
          await this.#removeTraces(signal);
          await this.#removeResults();
        }
        if (isClassic && !cache.isClassic) await this.#cachePolicy.record({ policy, isClassic });
      }
      const build: Running = {
        ...{ policy, logins, pushes, bases: new UsedImages() },
        ...{ pulls: false, platforms: [hostPlatform()] },
      };
      this.#builds.add(build);
      return {
        policy,
        pull: () => {
          build.pulls = true;
        },
        aimAt: (platforms) => {
          build.platforms = platforms;
        },
        import: (result, signal) => this.#import(build, result, signal),
        end: () => this.#end(build),
      };
    });
  }

  /**
   * Removes the containers of the classic builder, and the names it gives to base images. Never
   * rejects: what remains is removed before another build begins, or none does.
   */
  async tidy(signal: AbortSignal): Promise<void> {
    try {
      await this.#beginning.run(() => this.#removeUnused(signal));
    } catch (error) {
      if (this.#host.shutdown.aborted) return;
      this.#host.log.error('a builder could not be tidied', error);
    }
  }

  /**
   * Makes room after a build that failed: BuildKit does so by itself at most once a minute, and the
   * next build may come sooner to a disk that this one has filled. The result goes too of a build
   * whose client left when it was made. Never rejects.
   */
  async trim(signal: AbortSignal): Promise<void> {
    await this.tidy(signal);
    try {
      await this.#beginning.run(() => trimCache(this.builder, () => this.#builds.size > 0, signal));
    } catch (error) {
      if (signal.aborted) return;
      this.#host.log.error('the cache of a builder could not be trimmed', error);
    }
  }

  /** Another build may be about to use what it finds. */
  async #removeUnused(signal: AbortSignal): Promise<void> {
    if (this.#builds.size === 0) await this.#removeTraces(signal);
  }

  async #removeTraces(signal: AbortSignal): Promise<void> {
    await removeContainers(this.builder, signal);
    await removeNames(this.builder, signal);
  }

  #end(build: Running): void {
    this.#builds.delete(build);
    // A step that goes on belongs to no build.
    if (this.#builds.size === 0) this.#steps.cut();
  }

  async #import(
    build: Running,
    result: Omit<Result, 'bases'>,
    signal: AbortSignal,
  ): Promise<Image> {
    this.#results.add(result.digest);
    const whole = { ...result, bases: build.bases.list() };
    try {
      return await this.#importing.run(() =>
        importResult(this.#host.images, this.builder, whole, signal),
      );
    } finally {
      this.#end(build);
      await this.#beginning.run(async () => {
        if (this.#builds.size === 0) await this.#removeResults();
      });
    }
  }

  /** A result that stays in the builder makes no build fail that has its image. */
  async #removeResults(): Promise<void> {
    for (const digest of this.#results) {
      try {
        await removeImage(this.builder, digest, AbortSignal.timeout(REMOVE_MS));
        this.#results.delete(digest);
      } catch (error) {
        this.#host.log.error('a builder kept a result', error, { digest });
      }
    }
  }

  /** Why requests were refused since a time. */
  refusedSince(time: number): RefusedRequests {
    return {
      files: this.#answers.refusedSince(time),
      blobs: this.#answers.cutSince(time),
      steps: this.#steps.refusedSince(time),
    };
  }

  close(): void {
    this.#endProxy();
    this.#endStepProxy();
    this.#steps.cut();
  }
}

function changedMeanwhile(): A3sError {
  return new A3sError(
    'conflict',
    'Cannot build: the image policy was changed while another build runs, and the builder’s cache has to be emptied first',
    { remedy: 'Build again when that build has ended.' },
  );
}

function holdsMore({ name }: Builder): A3sError {
  return new A3sError(
    'builder-failed',
    'Cannot empty the cache of the builder, which another image policy filled: a build without BuildKit has left images there that cannot be removed',
    { remedy: `Remove the builder, and build again: a3s-box builder rm ${name}.` },
  );
}
