import { describe, expect, it } from 'vitest';
import { docker } from '../../../server/testing/docker.ts';
import { transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const START = {
  status: 'start',
  id: 'b'.repeat(64),
  from: 'team/app:1',
  Type: 'container',
  Action: 'start',
  Actor: {
    ID: 'b'.repeat(64),
    Attributes: { trustRule: 'team.example/**', image: 'team/app:1', trust: 'signed' },
  },
  scope: 'local',
  time: 1_795_603_779,
  timeNano: 1_795_603_779_083_000_000,
};
const REFUSED = {
  status: 'trust-refused',
  id: `sha256:${'c'.repeat(64)}`,
  Type: 'image',
  Action: 'trust-refused',
  Actor: { ID: `sha256:${'c'.repeat(64)}`, Attributes: { reason: 'rule 1 ("**") denies it' } },
  scope: 'local',
  time: 1_795_603_779,
  timeNano: 1_795_603_779_084_000_000,
};
const PRUNE = { ...REFUSED, Action: 'prune', Actor: { ID: '', Attributes: {} } };

const a3s = (args: readonly string[]) => transcript(socket, ['events', ...args]);

describe('events', () => {
  it.each([
    [[]],
    [['--format', 'json']],
    [['--format', '{{json .}}']],
    [['--format', '{{.Action}} {{.Actor.ID}} {{index .Actor.Attributes "trust"}} {{.TimeNano}}']],
  ])('shows the same events as docker with %j', async (args) => {
    server.answers.set('GET /events', { lines: [REFUSED, START, PRUNE] });
    const theirs = await docker(socket, ['events', ...args]);
    expect(theirs.stdout).toContain(REFUSED.id);
    expect((await a3s(args)).stdout).toBe(theirs.stdout);
  });

  it('sends filters and times of events to the server', async () => {
    server.answers.set('GET /events', { lines: [] });
    const args = [
      '--filter',
      'type=image',
      '-f',
      'event=trust-refused',
      '--since',
      '17',
      '--until',
      '18.5',
    ];
    expect(await a3s(args)).toMatchObject({ status: 0, stdout: '' });
    expect(Object.fromEntries(server.called('GET /events')?.query ?? [])).toEqual({
      filters: '{"type":["image"],"event":["trust-refused"]}',
      since: '17',
      until: '18.5',
    });
    expect(await a3s(['--since', 'yesterday'])).toMatchObject({ status: 125 });
  });

  it('removes control characters from the events of images', async () => {
    const Actor = { ID: 'x', Attributes: { name: 'a\u001b[2Jb\nc' } };
    server.answers.set('GET /events', { lines: [{ ...REFUSED, Actor }] });
    const { stdout } = await a3s([]);
    expect(stdout).toMatch(/^[^\p{C}]+\n$/u);
  });
});
