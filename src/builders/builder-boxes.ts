/**
 * The boxes that builders are: how one starts, is taken over, and ends.
 *
 * @module
 */
import { join } from 'node:path';
import { createBox } from '../boxes/create/create.ts';
import { mayHaveVm } from '../boxes/record/states.ts';
import type { Runtime } from '../boxes/runtime.ts';
import { startBox } from '../boxes/start/start.ts';
import { removeBox } from '../boxes/verbs/remove-box.ts';
import { stopBox } from '../boxes/verbs/stop.ts';
import type { Builder } from '../build/builder.ts';
import { A3sError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { makeAuthority } from '../tls-proxy/make-authority.ts';
import { type BuilderDocument, IMAGE_LAYOUT } from './document.ts';
import { lastOutput } from './last-output.ts';
import type { BuilderRecord, BuilderRecords } from './records.ts';
import { boxNameOf, builderRequest, NAME_LABEL } from './request.ts';
import { RunningBuilder } from './running-builder.ts';
import type { SavedBuilder, SavedBuilders } from './saved-builders.ts';
import { savedKey } from './saved-key.ts';

/** Emulated, a daemon takes half a minute on a machine that does nothing else. */
const READY_MS = 600_000;
/** One whose memory was saved has a daemon that runs. */
const SAVED_READY_MS = 120_000;

/**
 * The builder's image is this installation's own, named by the digest that it is compared with, so
 * the image policy has nothing to say about it.
 */
const POLICY = `schema: a3s-box/image-policy/v1
images:
  - pattern: "**"
    allowUnsigned: true
`;

interface Launch {
  /** What the programs of the guest trust, or will. */
  readonly authority: Builder['authority'];
  /** It goes on from there. */
  readonly saved: SavedBuilder | undefined;
  /** How long the daemon may take until it answers. */
  readonly readyMs: number;
}

/** The caller holds the lock of the builder that it names. */
export class BuilderBoxes {
  readonly #rt: Runtime;
  readonly #directory: string;
  readonly #records: BuilderRecords;
  readonly #saved: SavedBuilders;

  /** @param directory of the builders' image */
  constructor(
    rt: Runtime,
    directory: string,
    stores: { readonly records: BuilderRecords; readonly saved: SavedBuilders },
  ) {
    this.#rt = rt;
    this.#directory = directory;
    this.#records = stores.records;
    this.#saved = stores.saved;
  }

  /** Undefined where it has to be started anew: it does not run, or was made of another image. */
  async adopt(
    { name, box, authority }: BuilderRecord,
    { manifestDigest }: BuilderDocument,
  ): Promise<RunningBuilder | undefined> {
    const running = this.#rt.running.get(box);
    const { definition } = this.#rt.store.get(box) ?? {};
    if (running === undefined || definition?.image.manifestDigest !== manifestDigest) {
      return undefined;
    }
    const cacheDisk = this.#cacheDisk(name);
    const made = { name, authority, image: manifestDigest, cacheDisk };
    const builder = new RunningBuilder(made, running, this.#rt.log);
    try {
      await builder.ready(this.#deadline());
      return builder;
    } catch (error) {
      this.#rt.shutdown.throwIfAborted();
      this.#rt.log.error('a builder does not answer, and is started anew', error, {
        builder: name,
      });
      return undefined;
    }
  }

  /** From its memory snapshot where there is one that fits, and otherwise by a boot. */
  async start(name: string, document: BuilderDocument): Promise<RunningBuilder> {
    const image = await this.image(document);
    const cachePath = this.cachePath(name);
    const saved = await this.#saved.find(name, () => this.key(name, image), cachePath);
    if (saved === undefined) return await this.boot(name, image);
    try {
      const { authority } = saved;
      return await this.#launch(name, image, { authority, saved, readyMs: SAVED_READY_MS });
    } catch (error) {
      this.#rt.shutdown.throwIfAborted();
      this.#rt.log.error('a builder cannot go on from its memory snapshot, so it boots', error, {
        builder: name,
      });
      await this.#saved.discard(name);
      return await this.boot(name, image);
    }
  }

  async boot(name: string, image: Image): Promise<RunningBuilder> {
    const authority = makeAuthority({ subject: 'a3s-box builder', now: Date.now() });
    return await this.#launch(name, image, { authority, saved: undefined, readyMs: READY_MS });
  }

  async #launch(
    name: string,
    image: Image,
    { authority, saved, readyMs }: Launch,
  ): Promise<RunningBuilder> {
    const rt = this.#rt;
    await this.#removeUnrecorded(name);
    const policyId = await rt.trust.handOver({ text: POLICY, directory: '/' });
    const request = this.request(name, image, authority);
    const box = await createBox(rt, request, { policyId });
    const { id } = box.definition;
    const record = { name, box: id, authority };
    await this.#records.put(record);
    const from =
      saved === undefined
        ? {}
        : { saved: () => this.#saved.open(name, saved, this.cachePath(name)) };
    try {
      await startBox(rt, id, { policyId, ...from });
      const cacheDisk = this.#cacheDisk(name);
      const running = rt.running.expect(id);
      const made = { name, authority, image: image.manifestDigest, cacheDisk };
      const builder = new RunningBuilder(made, running, rt.log);
      await builder.ready(this.#deadline(readyMs));
      rt.log.info('a builder was started', {
        ...{ builder: name, box: id, from: saved === undefined ? 'boot' : 'memory snapshot' },
      });
      return builder;
    } catch (error) {
      rt.shutdown.throwIfAborted();
      const output = await lastOutput(rt, id);
      await this.end(record);
      throw new A3sError('builder-failed', `Cannot start the builder ${name}${output}`, {
        remedy: 'Build again. If it fails again, see server.log in A3S_HOME.',
        cause: error,
      });
    }
  }

  /** What the memory of a builder depends on; undefined where it is not known: builders boot. */
  async key(name: string, image: Image): Promise<string | undefined> {
    try {
      return await savedKey(this.#rt, this.request(name, image, { certificate: '' }));
    } catch (error) {
      this.#rt.shutdown.throwIfAborted();
      this.#rt.log.error('what a memory snapshot depends on is not known', error, {
        builder: name,
      });
      return undefined;
    }
  }

  request(name: string, image: Image, authority: Pick<Builder['authority'], 'certificate'>) {
    return builderRequest(name, image.id, authority, this.#rt.host);
  }

  cachePath(name: string): string {
    return this.#rt.volumes.mountpoint(boxNameOf(name));
  }

  /** Of a builder that runs. A volume that was removed and made anew was made at another time. */
  #cacheDisk(name: string): string {
    const volume = this.#rt.volumes.list().find((each) => each.name === boxNameOf(name));
    if (volume === undefined) throw new TypeError(`the builder ${name} has no cache`);
    return `${volume.name} ${volume.createdAt}`;
  }

  /** When a daemon has to answer. */
  #deadline(ms = READY_MS): AbortSignal {
    return AbortSignal.any([AbortSignal.timeout(ms), this.#rt.shutdown]);
  }

  /** A server may have died between a box and its record here. */
  async #removeUnrecorded(name: string): Promise<void> {
    const box = this.#rt.store.byName(boxNameOf(name));
    if (box?.definition.labels[NAME_LABEL] !== name) return;
    await removeBox(this.#rt, box.definition.id, { force: true });
  }

  /** The image of this installation, from its files where the store does not have it. */
  async image({ manifestDigest }: BuilderDocument): Promise<Image> {
    const is = (image: Image): boolean => image.manifestDigest === manifestDigest;
    const { images } = this.#rt;
    const stored = (await images.list()).find(is);
    if (stored !== undefined) return stored;
    const layout = join(this.#directory, IMAGE_LAYOUT);
    const loaded = (await images.loadDirectory(layout)).find(is);
    if (loaded !== undefined) return loaded;
    throw new A3sError('builder-missing', 'Cannot build: the builder’s image is another one', {
      remedy: 'Make it again with npm run setup.',
    });
  }

  /** Its caches stay, on their disk. */
  async end({ name, box }: BuilderRecord): Promise<void> {
    const rt = this.#rt;
    const found = rt.store.get(box);
    if (found !== undefined) {
      if (mayHaveVm(found.state.status)) await stopBox(rt, box, { keep: true });
      if (rt.store.get(box) !== undefined) await removeBox(rt, box, { force: true });
    }
    await this.#records.remove(name);
  }

  /** The same where its daemon may not answer. */
  async kill({ name, box }: BuilderRecord): Promise<void> {
    if (this.#rt.store.get(box) !== undefined) await removeBox(this.#rt, box, { force: true });
    await this.#records.remove(name);
  }
}
