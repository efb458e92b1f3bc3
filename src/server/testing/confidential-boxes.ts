/**
 * Confidential boxes of a home, for tests.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'vitest';
import type { TestHome } from './home.ts';

const { publicKey } = generateKeyPairSync('ed25519');
const KEY = String(publicKey.export({ type: 'spki', format: 'pem' }));
export const TOKEN = { Name: 'token', InjectorKeys: [KEY] };
export const MINUTE = ['sleep', 'infinity'];
/** Only what hangs takes that long. */
export const TIMEOUT = (): AbortSignal => AbortSignal.timeout(60_000);

/** @param home asked at each call: every test has its own */
export function confidentialBoxes(home: () => TestHome) {
  function body(confidential: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
    return { Confidential: { Tee: 'simulate', ...confidential }, ...more };
  }

  async function running(
    confidential: Record<string, unknown> = {},
    args = MINUTE,
  ): Promise<string> {
    const id = await home().create(args, body(confidential));
    const { status, body: answer } = await home().call('POST', `/containers/${id}/start`);
    expect({ status, answer }).toEqual({ status: 204, answer: undefined });
    return id;
  }

  async function inspect(id: string) {
    const { body } = await home().call('GET', `/containers/${id}/json`);
    return body as Record<string, unknown> & {
      readonly State: Record<string, unknown>;
      readonly Confidential: Record<string, unknown>;
    };
  }

  async function listed(id: string): Promise<Record<string, unknown> | undefined> {
    const { body } = await home().call('GET', '/containers/json?all=1');
    return (body as Record<string, unknown>[]).find((each) => each['Id'] === id);
  }

  /** The guest inside. */
  function guestOf(id: string) {
    const guest = home().agents.get(id)?.confidential;
    if (guest === undefined) throw new Error('no confidential guest was launched');
    return guest;
  }

  function changed(id: string, found: (box: ReturnType<typeof record>) => boolean) {
    if (found(record(id))) return record(id);
    return home().runtime.store.when(id, (box) => box !== undefined && found(box), TIMEOUT());
  }

  const record = (id: string) => home().runtime.store.expect(id);

  return { body, changed, guestOf, inspect, listed, record, running };
}
