/**
 * Boxes of a home with a template, for tests.
 *
 * @module
 */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FakeVm } from '../../engine/testing/fake-vm.ts';
import type { TestHome } from './home.ts';
import { TEMPLATE_KEY } from './templates.ts';

export const WARM = { Start: 'template', Source: TEMPLATE_KEY };
export const COLD = { Start: 'cold', Source: '' };

interface Inspected {
  readonly State: { Status: string; Error: string };
  readonly Machine: { Start: string; Source: string } | null;
}

/** @param home asked at each call: every test has its own */
export function warmBoxes(home: () => TestHome) {
  async function start(id: string): Promise<number> {
    return (await home().call('POST', `/containers/${id}/start`)).status;
  }

  async function stop(id: string): Promise<void> {
    expect((await home().call('POST', `/containers/${id}/stop`)).status).toBe(204);
  }

  async function inspect(id: string): Promise<Inspected> {
    return (await home().call('GET', `/containers/${id}/json`)).body as Inspected;
  }

  /** The attributes of all box events of this action so far. */
  async function happened(action: string): Promise<Readonly<Record<string, string>>[]> {
    const { events } = home().runtime;
    const found: Readonly<Record<string, string>>[] = [];
    const range = { since: 0n, until: BigInt(Date.now() + 1000) * 1_000_000n };
    const done = new AbortController();
    events.publish('container', 'last', '', {});
    for await (const event of events.follow(range, done.signal)) {
      if (event.action === action) found.push(event.attributes);
      if (event.action === 'last') break;
    }
    return found;
  }

  /** Calls `change` with each microVM from a template before the host connects to it. */
  function copies(change: (vm: FakeVm) => void): void {
    const { host } = home();
    const launch = host.start.bind(host);
    host.start = async (spec, signal) => {
      const vm = await launch(spec, signal);
      if (spec.template !== undefined) change(vm);
      return vm;
    };
  }

  /** The file of a box's writable layer. */
  const writableLayerOf = (id: string): string =>
    join(home().config.home, 'boxes', id, 'changes.ext4');

  return { start, stop, inspect, happened, copies, writableLayerOf };
}
