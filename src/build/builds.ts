/**
 * Builds of images, as Docker's clients ask for them: the control server joins their connections to
 * a builder, decides which images they may begin with, and stores what they make.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type * as z from 'zod';
import { linkedSignal } from '../async/linked-signal.ts';
import { A3sError } from '../errors.ts';
import type { Builder } from './builder.ts';
import { type ClassicRequest, classicBuild } from './classic/classic-build.ts';
import { type BegunBuild, HeldBuilder } from './held-builder.ts';
import type { BuildHost } from './host.ts';
import { refusesFiles } from './policy.ts';
import { BaseImages } from './proxy/base-images.ts';
import { askBuilder } from './relay/builder-api.ts';
import { cacheUsage } from './relay/cache-usage.ts';
import { type BuildCalls, type OpenedBuilder, relayGrpc } from './relay/grpc-relay.ts';
import { namedResponse, readFrontendSolve, readSolve, resultDigest } from './relay/solve.ts';
import { upgrade } from './relay/upgrade.ts';
import { WorkerLists } from './relay/worker-lists.ts';
import { requireResultNames } from './result/result-names.ts';

/** The builder of clients that name none. */
export const DEFAULT_BUILDER = 'default';

/** Its session has the client's logins. */
const BUILDKIT = { isClassic: false, logins: new Map() } as const;

/** A builder that a client uses. */
export interface HeldUse {
  readonly held: HeldBuilder;
  /** Once. */
  release(): void;
}

export class Builds {
  readonly #host: BuildHost;
  readonly #name: string;
  /** Those of the other builders, by name. */
  readonly #others: Map<string, Builds>;
  readonly #images: BaseImages;
  readonly #held = new Map<Builder, { readonly held: HeldBuilder; uses: number }>();
  readonly #workers = new WorkerLists();

  constructor(host: BuildHost, name = DEFAULT_BUILDER, others: Map<string, Builds> = new Map()) {
    this.#host = host;
    this.#name = name;
    this.#others = others.set(name, this);
    // What the policy has let in for one builder is served to no other one.
    this.#images = new BaseImages(host);
  }

  /** The builds of another builder. Its name has to be a valid one. */
  in(name: string): Builds {
    return this.#others.get(name) ?? new Builds(this.#host, name, this.#others);
  }

  /** Whether a builder runs, without starting one. */
  get hasBuilder(): boolean {
    return this.#host.builders.runs(this.#name);
  }

  /** A builder, until it is released. @throws what finding and starting one throws */
  async use(signal: AbortSignal): Promise<HeldUse> {
    const { builder, release } = await this.#host.builders.use(this.#name, signal);
    const known = this.#held.get(builder);
    let entry = known;
    try {
      entry ??= { held: new HeldBuilder(this.#host, builder, this.#images), uses: 0 };
    } catch (error) {
      release();
      throw error;
    }
    const { held } = entry;
    entry.uses += 1;
    this.#held.set(builder, entry);
    const counted = entry;
    return {
      held,
      release: () => {
        counted.uses -= 1;
        if (counted.uses === 0) {
          this.#held.delete(builder);
          held.close();
        }
        release();
      },
    };
  }

  /** A connection on which a builder asks its client for files, secrets and credentials. */
  async openSession(
    headers: Readonly<Record<string, string | string[]>>,
    signal: AbortSignal,
  ): Promise<{ readonly stream: Duplex; release(): void }> {
    const { held, release } = await this.use(signal);
    try {
      const asked = { ...headers, upgrade: 'h2c' };
      return { stream: await upgrade(held.builder, '/session', asked, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Serves the calls of a BuildKit client until it leaves. Never rejects.
   *
   * @param reasonOf the words for a builder that cannot be used
   */
  async serveGrpc(
    client: Duplex,
    gone: AbortSignal,
    reasonOf: (error: unknown) => string,
  ): Promise<void> {
    const { signal, unlink } = linkedSignal(gone, this.#host.shutdown);
    let end = (): void => undefined;
    const open = async (left: AbortSignal): Promise<OpenedBuilder> => {
      const { held, release } = await this.use(left);
      try {
        const stream = await upgrade(held.builder, '/grpc', { upgrade: 'h2c' }, left);
        end = release;
        return { stream, calls: this.#callsOf(held) };
      } catch (error) {
        release();
        throw error;
      }
    };
    await relayGrpc(client, open, { gone: signal, reasonOf });
    end();
    unlink();
  }

  /** `POST /build`, as lines. @throws what `classicBuild` throws */
  async *classic(request: ClassicRequest): AsyncGenerator<Uint8Array> {
    const { held, release } = await this.use(request.signal);
    try {
      yield* classicBuild(held, await this.#host.trust.standing(), request);
    } finally {
      release();
    }
  }

  /** The records of the cache; none where no builder runs. @throws A3sError `builder-failed` */
  async caches(signal: AbortSignal) {
    if (!this.hasBuilder) return [];
    const { held, release } = await this.use(signal);
    try {
      return await cacheUsage(held.builder, signal);
    } finally {
      release();
    }
  }

  /** Passes a request without a body on. @throws A3sError `builder-failed` */
  async ask<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { held, release } = await this.use(signal);
    try {
      return await askBuilder(held.builder, { method: 'POST', path, signal }, schema);
    } finally {
      release();
    }
  }

  /** Refuses what the policy cannot decide on. Throws A3sError `image-untrusted`. */
  async #refuseLayouts(hasLayouts: boolean): Promise<void> {
    if (!hasLayouts) return;
    const reason = refusesFiles(await this.#host.trust.standing());
    if (reason === undefined) return;
    throw new A3sError(
      'image-untrusted',
      `Cannot build from oci-layout://: ${reason}, and files of a build context have neither name nor signature`,
      { remedy: 'Name the image in its registry: --build-context NAME=docker-image://IMAGE.' },
    );
  }

  #callsOf(held: HeldBuilder): BuildCalls {
    const running = new Map<string, BegunBuild>();
    return {
      refusedSince: (time) => held.refusedSince(time),
      workers: (message) => this.#workers.of(held.builder, message),
      keepWorkers: (message, answer) => this.#workers.keep(held.builder, message, answer),
      frontendSolve: async (message, ref) => {
        const build = running.get(ref);
        const policy = build?.policy ?? (await this.#host.trust.standing()).digest;
        const solve = readFrontendSolve(message, { stepProxy: held.builder.stepProxy, policy });
        await this.#refuseLayouts(solve.hasLayouts);
        if (solve.pulls) build?.pull();
        if (solve.platforms.length > 0) build?.aimAt(solve.platforms);
        return solve.message;
      },
      solve: async (message, signal) => {
        const key = randomBytes(8).toString('hex');
        const policy = await this.#host.trust.standing();
        const given = { stepProxy: held.builder.stepProxy, policy: policy.digest };
        const solve = readSolve(message, given, key);
        requireResultNames(solve.names);
        await this.#refuseLayouts(solve.hasLayouts);
        // Its result is removed from the builder though its client is gone.
        const { release } = await this.use(signal);
        const kind = { ...BUILDKIT, pushes: solve.pushes };
        const build = await held.begin(policy, kind, signal).catch((error: unknown) => {
          release();
          throw error;
        });
        if (solve.pulls) build.pull();
        if (solve.platforms.length > 0) build.aimAt(solve.platforms);
        running.set(solve.ref, build);
        let finished = false;
        return {
          message: solve.message,
          finish: async (response) => {
            const digest = solve.stores ? resultDigest(response) : undefined;
            const image =
              digest === undefined
                ? undefined
                : await build.import({ digest, names: solve.names }, signal);
            finished = true;
            if (image === undefined) return response;
            return namedResponse(response, solve.spelledNames, image.id);
          },
          end: () => {
            running.delete(solve.ref);
            build.end();
            if (finished) release();
            else void held.trim(this.#host.shutdown).finally(release);
          },
        };
      },
    };
  }
}
