/**
 * The identity of the fake agent's guest: it is prepared, warmed up, reseeded and forked as the
 * real one is.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import { isDeepStrictEqual } from 'node:util';
import { BoxSpec } from '@a3s-box/policies';
import { Fork, Reseed } from '../protocol.ts';
import { json, readJson } from './fake-agent-streams.ts';
import { FakeRefusal } from './fake-refusal.ts';

const JSON_BYTES = 64 * 1024;
const SPEC_BYTES = 4 * 1024 * 1024;

/** The state of the box, on which it depends what the agent accepts. */
interface Copied {
  readonly hasSpec: boolean;
  readonly mainRuns: boolean;
  readonly frozen: boolean;
}

export class FakeIdentity {
  paused: boolean;
  reseeded: Reseed | undefined;
  forked: Fork | undefined;
  warmedUp: BoxSpec | undefined;
  readonly #refuseWarmUp: FakeRefusal | undefined;

  constructor(paused: boolean, refuseWarmUp: FakeRefusal | undefined) {
    this.paused = paused;
    this.#refuseWarmUp = refuseWarmUp;
  }

  /** Refuses what a paused guest does not do. */
  checkResumed(path: string): void {
    if (this.paused && path !== '/v1/wake' && path !== '/v1/rehearse') {
      throw new FakeRefusal('conflict', 'the guest was prepared and not reseeded yet');
    }
  }

  prepare(stream: ServerHttp2Stream, { hasSpec }: Copied): void {
    if (hasSpec || this.paused || this.reseeded !== undefined) {
      throw new FakeRefusal('conflict', 'the guest was prepared already, or has a spec');
    }
    this.paused = true;
    json(stream, 204);
  }

  async warmUp(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, BoxSpec, SPEC_BYTES);
    if (!this.paused)
      throw new FakeRefusal('conflict', 'the guest was reseeded already, or never prepared');
    if (this.#refuseWarmUp !== undefined) throw this.#refuseWarmUp;
    this.warmedUp = value;
    json(stream, 204);
  }

  async reseed(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, Reseed, JSON_BYTES);
    const again = isDeepStrictEqual(this.reseeded, value);
    if (!this.paused && !again)
      throw new FakeRefusal('conflict', 'the guest was reseeded already, or never prepared');
    this.paused = false;
    this.reseeded = value;
    json(stream, 204);
  }

  async fork(stream: ServerHttp2Stream, { mainRuns, frozen }: Copied): Promise<void> {
    const { value } = await readJson(stream, Fork, JSON_BYTES);
    if (!mainRuns) throw new FakeRefusal('conflict', 'the process is not running');
    // The same once more is answered as before.
    if (!frozen && !isDeepStrictEqual(this.forked, value)) {
      throw new FakeRefusal('conflict', 'the processes of the box are not frozen');
    }
    this.forked = value;
    json(stream, 204);
  }
}
