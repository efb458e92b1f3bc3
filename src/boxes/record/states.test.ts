import { expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { BOX_STATUSES, type BoxEvent, transition } from './states.ts';

const EVENTS: readonly BoxEvent[] = [
  ...(['start', 'started', 'undone-created', 'undone-exited', 'undone-restart'] as const),
  ...(['pause', 'unpause', 'ended', 'gone', 'gone-restart', 'give-up', 'remove'] as const),
];

it('allows exactly the listed transitions between box states', () => {
  const steps = BOX_STATUSES.flatMap((status) =>
    EVENTS.flatMap((event) => {
      try {
        return [`${status} --${event}--> ${transition(status, event)}`];
      } catch (error) {
        expect(error).toBeInstanceOf(A3sError);
        expect(error).toMatchObject({ code: 'conflict' });
        return [];
      }
    }),
  );
  expect(steps).toEqual([
    'created --start--> starting',
    'created --remove--> removing',
    'starting --started--> running',
    'starting --undone-created--> created',
    'starting --undone-exited--> exited',
    'starting --undone-restart--> restarting',
    'running --pause--> paused',
    'running --ended--> stopping',
    'running --gone--> exited',
    'running --gone-restart--> restarting',
    'paused --unpause--> running',
    'paused --ended--> stopping',
    'paused --gone--> exited',
    'paused --gone-restart--> restarting',
    'stopping --gone--> exited',
    'stopping --gone-restart--> restarting',
    'exited --start--> starting',
    'exited --remove--> removing',
    'restarting --start--> starting',
    'restarting --give-up--> exited',
    'restarting --remove--> removing',
    'removing --remove--> removing',
  ]);
});
