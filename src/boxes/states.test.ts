import { expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import { BOX_STATUSES, type BoxEvent, transition } from './states.ts';

const EVENTS: readonly BoxEvent[] = [
  ...(['start', 'started', 'undone-created', 'undone-exited', 'ended', 'gone', 'remove'] as const),
];

it('allows these steps and no others', () => {
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
    'running --ended--> stopping',
    'running --gone--> exited',
    'stopping --gone--> exited',
    'exited --start--> starting',
    'exited --remove--> removing',
    'removing --remove--> removing',
  ]);
});
