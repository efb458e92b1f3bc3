import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTrust } from '../home/open-trust.ts';
import { TestHome } from '../testing/home.ts';

const PATH = '/a3s/v1/image-policies';
const TEXT = `
images:
  - pattern: "**"
    require: [{ keys: [a.pub], transparencyLog: none }]
`;

let home: TestHome;
let directory: string;

beforeEach(async () => {
  home = new TestHome();
  await home.start();
  directory = home.config.home;
  Object.assign(home.trust, openTrust(directory));
  const { publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(directory, 'a.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
});

afterEach(() => home.remove());

it('reads an image policy with its files, and returns an id for later calls', async () => {
  const { status, body } = await home.call('POST', PATH, { text: TEXT, directory });
  expect(status).toBe(201);
  const { id } = body as { id: string };
  expect(home.runtime.trust.handedOver(id).rules).toMatchObject([
    { action: 'require', require: [{ keys: [{ name: 'a.pub' }] }] },
  ]);
  const create = `/containers/create?imagePolicy=${encodeURIComponent(id)}`;
  expect(await home.call('POST', create, { Image: 'busybox', Cmd: ['true'] })).toMatchObject({
    status: 403,
    body: { code: 'image-untrusted' },
  });
});

it('reports all problems of an image policy with the name of its file', async () => {
  const path = join(directory, 'mine.yaml');
  const text = TEXT.replace('a.pub', 'a.pub, gone.pub');
  expect(await home.call('POST', PATH, { text, directory, path })).toMatchObject({
    status: 400,
    body: {
      code: 'policy-invalid',
      message: expect.stringContaining(
        `Cannot use the image policy ${path}: images[0].require[0].keys[1]: cannot use "gone.pub": there is no such file`,
      ),
    },
  });
});

it('refuses every image while the standing policy is malformed', async () => {
  writeFileSync(join(directory, 'image-policy.yaml'), 'image: []', { mode: 0o600 });
  const body = { Image: 'busybox', Cmd: ['true'] };
  expect(await home.call('POST', '/containers/create', body)).toMatchObject({
    status: 400,
    body: { code: 'policy-invalid', message: expect.stringContaining('did you mean `images`?') },
  });
  writeFileSync(
    join(directory, 'image-policy.yaml'),
    'images: [{ pattern: "**", deny: withdrawn }]',
  );
  expect(await home.call('POST', '/containers/create', body)).toMatchObject({
    body: { code: 'image-untrusted' },
  });
});
