/**
 * What was refused lately: a bounded list, which the server reads from a file.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import type { DecidedBy } from '../decide.ts';
import { type Egress, type Refusal, ruleText } from '../egress.ts';
import { Recent } from '../recent.ts';
import { MAX_REFUSALS, type RefusalFile } from './files.ts';

export interface Refused {
  readonly target: string;
  /** The number of the policy that refused. */
  readonly policy: number;
  /** By which rule of it. */
  readonly by?: DecidedBy;
  /** Where it was no rule. */
  readonly why?: string;
}
export type Refuse = (refused: Refused) => void;

const WRITE_MS = 1000;

export class Refusals {
  readonly #path: string;
  readonly #describe: (refused: Refused) => Refusal;
  readonly #since: number;
  readonly #recent: Recent;
  #list: RefusalFile['refusals'] = [];
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, policies: Egress['policies'], now: () => number) {
    this.#path = path;
    this.#describe = (refused) => describe(policies, refused);
    this.#recent = new Recent(MAX_REFUSALS, now);
    this.#since = Date.now();
  }

  add(refused: Refused): void {
    const refusal = this.#describe(refused);
    if (!this.#recent.isNew(JSON.stringify(refusal))) return;
    this.#count += 1;
    this.#list = [...this.#list, { ...refusal, number: this.#count }].slice(-MAX_REFUSALS);
    this.#timer ??= setTimeout(() => this.#write(), WRITE_MS);
  }

  #write(): void {
    this.#timer = undefined;
    const file: RefusalFile = { since: this.#since, refusals: this.#list };
    try {
      // A reader that finds half of it comes again.
      writeFileSync(this.#path, JSON.stringify(file));
    } catch {
      // A full file system costs a list, and not the box's names. It is written once there is room.
      this.#timer = setTimeout(() => this.#write(), WRITE_MS);
    }
  }
}

/** @returns the refusal in words */
export function describe(
  policies: Egress['policies'],
  { target, policy, by, why }: Refused,
): Refusal {
  const recorded = policies[policy];
  const rule = recorded === undefined || by === undefined ? why : ruleText(recorded, by);
  return { target: target.slice(0, 300), of: recorded?.of ?? 'box', rule: rule ?? '' };
}
