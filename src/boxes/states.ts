/**
 * The life of a box as one function.
 *
 * ```
 * created ──start──▶ starting ──started──▶ running ──ended──▶ stopping ──gone──▶ exited
 *    ▲                  │                     └──────────gone─────────────────────▲ │
 *    └──undone (no run yet)──┴──undone (ran before)───────────────────────────────┘ │
 * created, exited ──remove──▶ removing                 starting ◀──start────────────┘
 * ```
 *
 * @module
 */
import { A3sError } from '../errors.ts';

export const BOX_STATUSES = [
  'created',
  'starting',
  'running',
  /** The main process has ended; the machine is on its way out. */
  'stopping',
  'exited',
  'removing',
] as const;
export type BoxStatus = (typeof BOX_STATUSES)[number];

export type BoxEvent =
  /** A start was asked for. Committed before any process exists. */
  | 'start'
  /** The main process runs. */
  | 'started'
  /** The start failed before any run of this box. */
  | 'undone-created'
  /** The start failed; the box ran before. */
  | 'undone-exited'
  /** The main process ended and its output is safe. */
  | 'ended'
  /** The machine is gone. */
  | 'gone'
  | 'remove';

const TRANSITIONS: Readonly<Record<BoxStatus, Partial<Record<BoxEvent, BoxStatus>>>> = {
  created: { start: 'starting', remove: 'removing' },
  starting: { started: 'running', 'undone-created': 'created', 'undone-exited': 'exited' },
  running: { ended: 'stopping', gone: 'exited' },
  stopping: { gone: 'exited' },
  exited: { start: 'starting', remove: 'removing' },
  removing: { remove: 'removing' },
};

/**
 * The status that follows `status` on `event`.
 *
 * @throws A3sError `conflict` where the event cannot happen; nothing else decides it
 */
export function transition(status: BoxStatus, event: BoxEvent): BoxStatus {
  const next = TRANSITIONS[status][event];
  if (next === undefined) {
    throw new A3sError('conflict', `Cannot ${event} a box that is ${status}`);
  }
  return next;
}

/** Whether a machine may exist for a box in this status. */
export function isLive(status: BoxStatus): boolean {
  return status === 'starting' || status === 'running' || status === 'stopping';
}
