import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const VALUE = 'the-value of the secret';

async function create(secret: string, content: string | Buffer = `${VALUE}\n`) {
  const path = join(directory, 'value');
  writeFileSync(path, content);
  const flag = secret.replace('FILE', path);
  return await transcript(socket, ['create', '--egress-secret', flag, 'img'], {});
}

it.each([
  ['TOKEN=@FILE,host=api.example.com', {}],
  ['TOKEN=@FILE,header=X-Api-Key,host=api.example.com', { Header: 'X-Api-Key' }],
])('reads the value of %s from its file, without the end of its line', async (flag, more) => {
  for (const content of [VALUE, `${VALUE}\n`, `${VALUE}\r\n`]) {
    expect(await create(flag, content)).toMatchObject({ stderr: '', status: 0 });
    expect(JSON.parse(server.calls.at(-1)?.body ?? '')).toMatchObject({
      EgressSecrets: [{ Name: 'TOKEN', Value: VALUE, Host: 'api.example.com', ...more }],
    });
  }
});

it.each([
  [`TOKEN=${VALUE},host=api.example.com`],
  [`TOKEN=@FILE,host=api.example.com,${VALUE}`],
  ['TOKEN=@FILE'],
  ['TOKEN=@FILE,host=a.example,host=b.example'],
  ['TO KEN=@FILE,host=a.example'],
  ['TOKEN=@FILE/none,host=a.example'],
  ['TOKEN=@FILE,host=a.example', `${VALUE}\n${VALUE}\n`],
  ['TOKEN=@FILE,host=a.example', '1234567\n'],
  ['TOKEN=@FILE,host=a.example', ` ${VALUE}`],
  ['TOKEN=@FILE,host=a.example', `${VALUE}é`],
  ['TOKEN=@FILE,host=a.example', VALUE.padEnd(5000, 'x')],
])('refuses %s without a word of the value', async (flag, content?: string) => {
  const calls = server.calls.length;
  const done = await create(flag, content);
  expect(done).toMatchObject({ status: 125, stdout: '' });
  expect(done.stderr).toContain('--egress-secret');
  expect(done.stderr).not.toContain(VALUE);
  expect(server.calls).toHaveLength(calls);
});
