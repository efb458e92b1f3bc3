/**
 * A server with a template and pools, for tests.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { TestHome } from './home.ts';
import { PoolTemplates } from './pools.ts';

/** A box that the pools of these tests fit. */
export const NONE = { HostConfig: { NetworkMode: 'none' } };

interface Summary {
  readonly name: string;
  readonly size: number;
  readonly ready: number;
  readonly state: string;
  readonly error: string;
}

export class PoolHome extends TestHome {
  templates = new PoolTemplates();

  /** With a template of its own. */
  async serve(): Promise<void> {
    const rt = await this.start();
    this.templates = new PoolTemplates();
    Object.assign(rt, { templates: this.templates });
  }

  async set(size: number, more: Record<string, unknown> = {}, name = 'default') {
    return await this.call('PUT', `/a3s/v1/pools/${name}`, { size, network: 'none', ...more });
  }

  async full(): Promise<void> {
    const { status, body } = await this.call('POST', '/a3s/v1/pools/default/wait');
    expect({ status, body }).toMatchObject({ status: 200 });
  }

  async pool(): Promise<Summary> {
    return (await this.call('GET', '/a3s/v1/pools/default')).body as Summary;
  }

  /** A full pool. */
  async filled(size: number, more: Record<string, unknown> = {}): Promise<void> {
    expect((await this.set(size, more)).status).toBe(200);
    await this.full();
  }

  async startBox(id: string): Promise<number> {
    return (await this.call('POST', `/containers/${id}/start`)).status;
  }

  async startOf(id: string): Promise<string> {
    const { body } = await this.call('GET', `/containers/${id}/json`);
    return (body as { Machine: { Start: string } | null }).Machine?.Start ?? 'none';
  }

  /** The events of pools, or of boxes, so far. */
  async happened(type: string): Promise<readonly string[]> {
    const found: string[] = [];
    const range = { since: 0n, until: BigInt(Date.now() + 1000) * 1_000_000n };
    this.runtime.events.publish('container', 'last', '', {});
    for await (const event of this.runtime.events.follow(range, new AbortController().signal)) {
      if (event.action === 'last') break;
      if (event.type === type) found.push(event.action);
    }
    return found;
  }

  leftDirectories(): string[] {
    return readdirSync(this.config.runtimeDir).filter((name) => /^[0-9a-f]{12}$/.test(name));
  }

  poolDisks(): string[] {
    return readdirSync(join(this.config.home, 'pools'));
  }
}

/** Waits for background work. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(done, { timeout: 10_000, interval: 5 }).toBe(true);
}
