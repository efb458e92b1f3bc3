/**
 * The states of a box and their transitions, as one function.
 *
 * ```
 * created ──start──▶ starting ──started──▶ running ──ended──▶ stopping ──gone──▶ exited
 *    ▲                  │                   ▲    │└──────────gone─────────────────────▲ │
 *    └──undone (no run yet)──┬──undone (ran │before)────────────────────────────────┘ │
 *                                     unpause  pause                                  │
 *                                           │    ▼                                    │
 *                                           paused ──ended, gone──▶ as from running   │
 * created, exited, restarting ──remove──▶ removing     starting ◀──start──────────────┘
 * running, stopping, paused ──gone-restart──▶ restarting ──start──▶ starting
 *                        starting ──undone-restart──▶ restarting ──give-up──▶ exited
 * ```
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export const BOX_STATUSES = [
  'created',
  'starting',
  'running',
  /** No process of the box runs until it goes on. */
  'paused',
  /** The main process has ended; the VM is on its way out. */
  'stopping',
  'exited',
  /** The VM is gone; the policy starts the box again after a pause. */
  'restarting',
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
  | 'pause'
  | 'unpause'
  /** The VM is gone. */
  | 'gone'
  /** The VM is gone, and the policy will start the box again. */
  | 'gone-restart'
  /** The start by the policy failed, and it will try again. */
  | 'undone-restart'
  /** The policy starts the box no more. */
  | 'give-up'
  | 'remove';

const TRANSITIONS: Readonly<Record<BoxStatus, Partial<Record<BoxEvent, BoxStatus>>>> = {
  created: { start: 'starting', remove: 'removing' },
  starting: {
    started: 'running',
    'undone-created': 'created',
    'undone-exited': 'exited',
    'undone-restart': 'restarting',
  },
  running: { pause: 'paused', ended: 'stopping', gone: 'exited', 'gone-restart': 'restarting' },
  paused: { unpause: 'running', ended: 'stopping', gone: 'exited', 'gone-restart': 'restarting' },
  stopping: { gone: 'exited', 'gone-restart': 'restarting' },
  restarting: { start: 'starting', 'give-up': 'exited', remove: 'removing' },
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

/** Whether a VM may exist for a box in this status. */
export function mayHaveVm(status: BoxStatus): boolean {
  return (
    status === 'starting' || status === 'running' || status === 'paused' || status === 'stopping'
  );
}
