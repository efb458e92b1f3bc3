import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Box } from '../record/box.ts';
import { testDefinition } from '../testing/definition.ts';
import { Restarts } from './restarts.ts';

const ID = `1${'a'.repeat(63)}`;
const OTHER = `2${'a'.repeat(63)}`;

let server: AbortController;
let restarts: Restarts;
let started: string[];
let finishStart: () => void;
beforeEach(() => {
  server = new AbortController();
  restarts = new Restarts(server.signal, 1);
  started = [];
  finishStart = () => undefined;
});
afterEach(() => server.abort());

const tell = (how: string) => (id: string, run: number) => {
  started.push(`${how} ${id[0]} after run ${run}`);
  return new Promise<void>((resolve) => {
    finishStart = resolve;
  });
};
const begin = (): void =>
  restarts.begin({ restart: tell('restart'), afterReboot: tell('after-reboot') });
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function waiting(run: number): Box {
  return {
    definition: testDefinition(ID),
    name: 'one',
    generation: 1,
    state: {
      ...{ status: 'restarting', run, pid: 0, exitCode: 1, oomKilled: false, error: '' },
      ...{ ports: [], stopRequested: false, restartCount: 1, restartDelayMs: 0 },
    },
  };
}

it('starts a waiting box as a restart, and a box that has not run since the host started as after a reboot', async () => {
  begin();
  restarts.wait(waiting(3));
  await turn();
  finishStart();
  restarts.startAfterReboot(OTHER, 7);
  await turn();
  expect(started).toEqual(['restart 1 after run 3', 'after-reboot 2 after run 7']);
});

it('starts no more boxes at once than it was made for', async () => {
  begin();
  restarts.startAfterReboot(ID, 1);
  restarts.startAfterReboot(OTHER, 1);
  await turn();
  expect(started).toEqual(['after-reboot 1 after run 1']);
  finishStart();
  await turn();
  expect(started).toEqual(['after-reboot 1 after run 1', 'after-reboot 2 after run 1']);
});

it('lets a box be started after a reboot once, and not after a user wanted it to rest', () => {
  restarts.startAfterReboot(ID, 1);
  expect([restarts.takes(ID), restarts.takes(ID)]).toEqual([true, false]);
  restarts.startAfterReboot(OTHER, 1);
  restarts.drop(OTHER);
  expect(restarts.takes(OTHER)).toBe(false);
});

it('starts nothing while the host goes down, and nothing after the server ended', async () => {
  begin();
  restarts.hold();
  restarts.startAfterReboot(ID, 1);
  restarts.wait(waiting(1));
  await turn();
  expect(restarts.held).toBe(true);
  const ended = new Restarts(AbortSignal.abort(), 1);
  ended.begin({ restart: tell('restart'), afterReboot: tell('after-reboot') });
  ended.startAfterReboot(ID, 1);
  ended.wait(waiting(1));
  await turn();
  expect(started).toEqual([]);
});
