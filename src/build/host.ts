/**
 * What builds take of the control server.
 *
 * @module
 */
import type { Image, ImageStore } from '../images/image.ts';
import type { Downloads } from '../registry/downloads.ts';
import type { Registry } from '../registry/registry.ts';
import type { TrustDecision } from '../trust/decision.ts';
import type { LoadedPolicy } from '../trust/policy.ts';
import type { TrustQuestion } from '../trust/question.ts';
import type { Builders } from './builder.ts';
import type { BuildEgress } from './egress/build-egress.ts';
import type { Dialer } from './egress/dialer.ts';

export interface BuildHost {
  readonly builders: Builders;
  readonly images: Pick<ImageStore, 'ingest' | 'resolve' | 'content'>;
  readonly registry: Registry;
  readonly downloads: Downloads;
  /** What steps and downloads may reach. */
  readonly egress: Pick<BuildEgress, 'standing'>;
  /** Connects steps to other hosts. */
  readonly dialer: Dialer;
  readonly trust: {
    standing(): Promise<LoadedPolicy>;
    decide(question: TrustQuestion, policy: LoadedPolicy, now: Date): Promise<TrustDecision>;
  };
  /** The decision about an image of the store, by the standing policy. Authorizes nothing. */
  judge(image: Image, name: string): Promise<TrustDecision>;
  /** Called when the image policy refuses an image that a build asks for. */
  refused(name: string, decision: TrustDecision): void;
  readonly log: {
    info(message: string, fields?: Readonly<Record<string, unknown>>): void;
    error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  };
  /** Where it is recorded by which policy the caches of builders were filled. */
  readonly directory: string;
  /** Aborts when the server ends. */
  readonly shutdown: AbortSignal;
}
