/**
 * A fake of the templates that pools use, for tests.
 *
 * @module
 */
import type { TemplateDetails, TemplateSummary } from '../../templates/templates.ts';
import { FakeTemplates, TEMPLATE_KEY } from './templates.ts';

/** One template fits every VM, and exists until it is dropped. */
export class PoolTemplates extends FakeTemplates {
  override readonly enabled = true;
  /** The time from which it is too old. */
  expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  /** The reason for which none can be made. */
  warmFailure: Error | undefined;

  override async make(): Promise<void> {
    if (this.warmFailure !== undefined) throw this.warmFailure;
  }

  override list(): TemplateSummary[] {
    return this.there ? [SUMMARY] : [];
  }

  override inspect(reference: string): TemplateDetails {
    if (!this.there) return super.inspect(reference);
    return { ...SUMMARY, inputs: {}, protocol: 2, expiresAt: this.expiresAt, files: [] };
  }
}

const SUMMARY: TemplateSummary = {
  ...{ key: TEMPLATE_KEY, state: 'loaded', cpus: 1, memoryBytes: 16 * 2 ** 20, sizeBytes: 1 },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', uses: 0, lastUsedAt: undefined },
};
