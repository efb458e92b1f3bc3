import { describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();
const a3s = (...args: string[]): Promise<Transcript> => transcript(socket, args, {});

describe('network policy explain', () => {
  const path = 'GET /a3s/v1/boxes/web/egress';
  const explained = {
    ...{ Network: 'db', Allowed: false, Policy: 'network', Rule: 'deny:a.example' },
    Notes: ['the name does not resolve'],
  };

  it('says by which rule, in a line for each network', async () => {
    const open = { Network: 'bridge', Allowed: true, Policy: '', Rule: '', Notes: [] };
    const inside = { ...open, Network: 'back', Rule: 'boxes are not outside' };
    server.answers.set(path, {
      json: { Target: 'a.example:443/tcp', Networks: [explained, open, inside] },
    });
    expect(await a3s('network', 'policy', 'explain', 'web', 'a.example:443')).toMatchObject({
      status: 0,
      stdout: `a.example:443/tcp through db: refused by deny:a.example (policy of the network)
  the name does not resolve
a.example:443/tcp through bridge: allowed since there is no policy
a.example:443/tcp through back: allowed since boxes are not outside
`,
    });
    const json = await a3s(
      'network',
      'policy',
      'explain',
      '--format',
      'json',
      'web',
      'a.example:443',
    );
    expect(JSON.parse(json.stdout)).toMatchObject({ Networks: [explained, open, inside] });
  });

  it.each([
    ['show', 'web', 'a.example:443'],
    ['explain', 'web', 'a.example'],
    ['explain', '--protocol', 'icmp', 'web', 'a.example:443'],
    ['explain', '--format', 'xml', 'web', 'a.example:443'],
    ['explain', 'web'],
  ])('refuses %s %s %s', async (...args) => {
    expect(await a3s('network', 'policy', ...args)).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('the flags of a network policy', () => {
  it('send rules, a file and the default', async () => {
    server.answers.set('POST /networks/create', { status: 201, json: { Id: 'x', Warning: '' } });
    const rules = ['--egress', 'deny:a.example', '--egress', 'allow:*.example'];
    await a3s('network', 'create', ...rules, '--egress-default', 'db');
    expect(JSON.parse(server.called('POST /networks/create')?.body ?? '')).toMatchObject({
      Egress: { Rules: ['deny:a.example', 'allow:*.example'], Default: 'public' },
    });
  });
});
