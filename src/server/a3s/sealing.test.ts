import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confidentialBoxes, MINUTE } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterAll(() => home.remove());

const { body, running } = confidentialBoxes(() => home);

describe.each(['seal', 'unseal'])('POST /a3s/v1/boxes/{id}/%s', (operation) => {
  const path = (id: string) => `/a3s/v1/boxes/${id}/${operation}`;

  it('carries bytes to the guest of a box whose launch spec permits sealing', async () => {
    const id = await running({ Sealing: 'exact' });
    const socket = createConnection(home.config.socket);
    socket.write(
      `POST ${path(id)} HTTP/1.1\r\nHost: a3s-box\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    const received = text(socket);
    socket.end('sent back');
    expect(await received).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\nsent back$/);
  });

  it('refuses a plain box, one whose launch spec says none, and one that does not run', async () => {
    const plain = await home.create(MINUTE);
    expect(await home.call('POST', path(plain))).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('plain box') },
    });
    expect(await home.call('POST', path(await running()))).toMatchObject({
      status: 403,
      body: { code: 'sealing-not-permitted', message: expect.stringContaining('sealing none') },
    });
    const idle = await home.create(MINUTE, body({ Sealing: 'exact' }));
    expect(await home.call('POST', path(idle))).toMatchObject({
      status: 409,
      body: { code: 'box-not-running' },
    });
  });
});
