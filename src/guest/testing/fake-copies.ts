/**
 * The copies of the fake agent: it is prepared, warmed up, woken and forked as the real one is.
 *
 * @module
 */
import type { ServerHttp2Stream } from 'node:http2';
import { isDeepStrictEqual } from 'node:util';
import { BoxSpec } from '@a3s-box/policies';
import { Fork, Wake } from '../protocol.ts';
import { json, readJson } from './fake-agent-streams.ts';
import { FakeRefusal } from './fake-refusal.ts';

const JSON_BYTES = 64 * 1024;
const SPEC_BYTES = 4 * 1024 * 1024;

/** What a copy has to know of its box. */
interface Copied {
  readonly hasSpec: boolean;
  readonly mainRuns: boolean;
  readonly frozen: boolean;
}

export class FakeCopies {
  asleep: boolean;
  woken: Wake | undefined;
  forked: Fork | undefined;
  warmedUp: BoxSpec | undefined;
  readonly #refuseWarmUp: FakeRefusal | undefined;

  constructor(asleep: boolean, refuseWarmUp: FakeRefusal | undefined) {
    this.asleep = asleep;
    this.#refuseWarmUp = refuseWarmUp;
  }

  /** Refuses what a paused guest does not do. */
  checkAwake(path: string): void {
    if (this.asleep && path !== '/v1/wake' && path !== '/v1/rehearse') {
      throw new FakeRefusal('conflict', 'the guest was prepared, and not woken yet');
    }
  }

  prepare(stream: ServerHttp2Stream, { hasSpec }: Copied): void {
    if (hasSpec || this.asleep || this.woken !== undefined) {
      throw new FakeRefusal('conflict', 'the guest was prepared already, or has a spec');
    }
    this.asleep = true;
    json(stream, 204);
  }

  async warmUp(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, BoxSpec, SPEC_BYTES);
    if (!this.asleep) throw new FakeRefusal('conflict', 'the guest is not asleep');
    if (this.#refuseWarmUp !== undefined) throw this.#refuseWarmUp;
    this.warmedUp = value;
    json(stream, 204);
  }

  async wake(stream: ServerHttp2Stream): Promise<void> {
    const { value } = await readJson(stream, Wake, JSON_BYTES);
    const again = isDeepStrictEqual(this.woken, value);
    if (!this.asleep && !again) throw new FakeRefusal('conflict', 'the guest is not asleep');
    this.asleep = false;
    this.woken = value;
    json(stream, 204);
  }

  async fork(stream: ServerHttp2Stream, { mainRuns, frozen }: Copied): Promise<void> {
    const { value } = await readJson(stream, Fork, JSON_BYTES);
    if (!mainRuns) throw new FakeRefusal('conflict', 'the process is not running');
    // The same once more is answered as before.
    if (!frozen && !isDeepStrictEqual(this.forked, value)) {
      throw new FakeRefusal('conflict', 'the processes of the box do not stand still');
    }
    this.forked = value;
    json(stream, 204);
  }
}
