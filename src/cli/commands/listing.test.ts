import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { frame } from '../testing/fake-box.ts';
import { type FakeEnds, type Transcript, transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const a3s = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, args, ends);

const BOXES = [
  {
    Id: 'f'.repeat(64),
    Names: ['/web'],
    Image: 'busybox:latest',
    Command: 'httpd -f -p 80 -h /srv/www',
    Created: Math.floor(Date.now() / 1000) - 7200,
    Ports: [
      { IP: '127.0.0.1', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 81, Type: 'tcp' },
    ],
    Labels: { b: '2', a: '1' },
    State: 'running',
    Status: 'Up 2 hours',
    Trust: 'signed',
    NetworkSettings: { Networks: { default: {} } },
    Mounts: [
      { Source: '/srv/a/long/path/of/the/host' },
      { Name: 'data', Source: '/srv/volumes/data', Driver: 'local' },
    ],
  },
];

describe('ps', () => {
  const ps = (...args: string[]): Promise<Transcript> => {
    server.answers.set('GET /containers/json', { json: BOXES });
    return a3s(['ps', ...args]);
  };

  it("shows Docker's columns in ps", async () => {
    expect((await ps()).stdout).toBe(
      'CONTAINER ID   IMAGE            COMMAND                  CREATED       STATUS       TRUST     PORTS                            NAMES\n' +
        'ffffffffffff   busybox:latest   "httpd -f -p 80 -h /…"   2 hours ago   Up 2 hours   signed    127.0.0.1:8080->80/tcp, 81/tcp   web\n',
    );
  });

  it('fits the headings of ps into 80 columns', async () => {
    server.answers.set('GET /containers/json', { json: [] });
    const { stdout } = await a3s(['ps']);
    expect(stdout).toMatch(/^CONTAINER ID .* TRUST +PORTS +NAMES\n$/);
    expect(stdout.trimEnd().length).toBeLessThanOrEqual(80);
  });

  it('shows a column for TEEs when a box has one or a format asks for it', async () => {
    const confidential = { ...BOXES[0], Names: ['/db'], Confidential: { Tee: 'snp' } };
    server.answers.set('GET /containers/json', { json: [BOXES[0], confidential] });
    const { stdout } = await a3s(['ps']);
    expect(stdout).toMatch(/ TRUST +TEE +PORTS .*\n.* signed +- +127\..*\n.* signed +snp +127\./);
    for (const format of ['table', 'table {{.ID}}\\t{{.Tee}}']) {
      expect((await ps('--format', format)).stdout).toMatch(/ TEE\b.*\n.* -/);
    }
  });

  it.each([
    [['-q'], 'ffffffffffff\n'],
    [['-q', '--no-trunc'], `${'f'.repeat(64)}\n`],
    [['--format', '{{.Names}} {{.Label "a"}} {{.Labels}}'], 'web 1 a=1,b=2\n'],
    [
      ['--format', 'table {{.ID}}\\t{{.Mounts}}'],
      'CONTAINER ID   MOUNTS\nffffffffffff   /srv/a/long/pa…,data\n',
    ],
    [['--format', '{{.LocalVolumes}}'], '1\n'],
    [['--format', '{{json .Names}}'], '"web"\n'],
    [['--format', '{{.Trust}}'], 'signed\n'],
    [['--no-trunc', '--format', '{{.Command}}'], '"httpd -f -p 80 -h /srv/www"\n'],
  ])('formats ps with %j', async (args, stdout) => {
    expect(await ps(...args)).toMatchObject({ status: 0, stdout, stderr: '' });
  });

  it('shows a dash for a box without a trust decision', async () => {
    server.answers.set('GET /containers/json', { json: [{ ...BOXES[0], Trust: '' }] });
    expect((await a3s(['ps', '--format', '{{.Trust}}'])).stdout).toBe('-\n');
  });

  it('shows sizes of boxes with --size', async () => {
    const sized = [{ ...BOXES[0], SizeRw: 1500, SizeRootFs: 4_261_502 }];
    server.answers.set('GET /containers/json', { json: sized });
    const done = await a3s(['ps', '-s']);
    expect(done.stdout).toMatch(/NAMES +SIZE\n/);
    expect(done.stdout).toContain('web       1.5kB (virtual 4.26MB)\n');
  });

  it('prints ps as JSON', async () => {
    const row = JSON.parse((await ps('--format', 'json')).stdout);
    expect(row).toMatchObject({ ID: 'ffffffffffff', State: 'running', Networks: 'default' });
    expect(Object.keys(row)).toEqual(Object.keys(row).sort());
  });

  it.each([
    [['-a'], { all: '1' }],
    [['-s'], { all: '0', size: '1' }],
    [['--format', '{{.Names}} {{.Size}}'], { all: '0', size: '1' }],
    [['--size=false', '--format', '{{.Size}}'], { all: '0' }],
    [['-n', '3'], { all: '1', limit: '3' }],
    [['-l'], { all: '1', limit: '1' }],
    [
      ['-f', 'status=exited', '-f', 'name=x'],
      { all: '0', filters: '{"status":["exited"],"name":["x"]}' },
    ],
  ])('sends for ps %j the query %j', async (args, query) => {
    await ps(...args);
    expect(Object.fromEntries(server.called('GET /containers/json')?.query ?? [])).toEqual(query);
  });

  it('refuses an unknown field of ps', async () => {
    const done = await ps('--format', '{{.Nope}}');
    expect(done.status).toBe(1);
    expect(done.stderr).toContain("can't evaluate field Nope");
  });
});

describe('images', () => {
  const IMAGES = [
    {
      Id: `sha256:${'0123456789abcdef'.repeat(4)}`,
      RepoTags: ['busybox:1', 'localhost:5000/busybox:2'],
      RepoDigests: ['busybox@sha256:aa'],
      Created: Math.floor(Date.now() / 1000) - 86400 * 3,
      Size: 4_261_502,
    },
    { Id: `sha256:${'e'.repeat(64)}`, RepoTags: null, RepoDigests: [], Created: 0, Size: 10 },
  ];

  it('shows a row of images for each name', async () => {
    server.answers.set('GET /images/json', { json: IMAGES });
    expect((await a3s(['images', '--digests'])).stdout).toBe(
      'REPOSITORY               TAG       DIGEST      IMAGE ID       CREATED      SIZE\n' +
        'busybox                  1         sha256:aa   0123456789ab   3 days ago   4.26MB\n' +
        'localhost:5000/busybox   2         <none>      0123456789ab   3 days ago   4.26MB\n' +
        '<none>                   <none>    <none>      eeeeeeeeeeee   N/A          10B\n',
    );
    expect((await a3s(['image', 'ls', '-q', 'busybox'])).stdout.split('\n')).toContain(
      'eeeeeeeeeeee',
    );
    expect(server.calls.at(-1)?.query.get('filters')).toBe('{"reference":["busybox"]}');
  });

  it('removes images by name', async () => {
    const json = [{ Untagged: 'busybox:1' }, { Deleted: 'sha256:aa' }];
    server.answers.set('DELETE /images/busybox%3A1', { json });
    const done = await a3s(['rmi', 'busybox:1']);
    expect(done).toMatchObject({ status: 0, stdout: 'Untagged: busybox:1\nDeleted: sha256:aa\n' });
  });
});

describe('inspect', () => {
  const missing = (code: string): { status: number; json: unknown } => ({
    status: 404,
    json: { message: 'no', code },
  });

  it('finds boxes, then images, networks and volumes, and reports other names', async () => {
    server.answers.set('GET /containers/box/json', {
      json: { Id: 'b', Config: { Labels: { a: '1' } } },
    });
    server.answers.set('GET /containers/img/json', missing('no-such-box'));
    server.answers.set('GET /images/img/json', { json: { Id: 'i', Config: {} } });
    server.answers.set('GET /containers/none/json', missing('no-such-box'));
    server.answers.set('GET /images/none/json', missing('no-such-image'));
    server.answers.set('GET /networks/none', missing('no-such-network'));
    server.answers.set('GET /networks/Data', missing('no-such-network'));
    server.answers.set('GET /volumes/none', missing('no-such-volume'));
    server.answers.set('GET /containers/Data/json', missing('no-such-box'));
    server.answers.set('GET /images/Data/json', { ...missing('invalid-reference'), status: 400 });
    server.answers.set('GET /volumes/Data', { json: { Name: 'Data' } });
    const done = await a3s(['inspect', 'box', 'none', 'img', 'Data']);
    expect(JSON.parse(done.stdout)).toMatchObject([{ Id: 'b' }, { Id: 'i' }, { Name: 'Data' }]);
    expect(done.stdout).toContain('[\n    {\n        "Id": "b"');
    expect(done.stderr).toContain('No such box, image, network or volume: none (no-such-box)');
    expect(done.status).toBe(1);
    const one = await a3s(['inspect', '-f', '{{.Id}} {{.Config.Labels.a}}', 'box']);
    expect(one).toMatchObject({ status: 0, stdout: 'b 1\n' });
    server.calls.length = 0;
    const volume = await a3s(['inspect', '--type', 'volume', '-f', '{{.Name}}', 'Data']);
    expect(volume).toMatchObject({ status: 0, stdout: 'Data\n' });
    expect(server.log).toEqual(['GET /volumes/Data']);
    server.answers.set('GET /volumes/Data', missing('no-such-volume'));
    const malformed = await a3s(['inspect', 'Data']);
    expect(malformed).toMatchObject({ status: 1, stdout: '[]\n' });
    expect(malformed.stderr).toContain('(invalid-reference)');
  });
});

describe('inspect --size', () => {
  it.each(['inspect', 'container inspect'])(
    'inspects only boxes for %s --size',
    async (command) => {
      server.answers.set('GET /containers/box/json', { json: { Id: 'b', SizeRw: 5 } });
      const done = await a3s([...command.split(' '), '-s', '-f', '{{.SizeRw}}', 'box']);
      expect(done).toMatchObject({ status: 0, stdout: '5\n' });
      expect(server.called('GET /containers/box/json')?.query.get('size')).toBe('1');
    },
  );
});

describe('attach', () => {
  it.each(['paused', 'restarting'])('refuses to attach to a box that is %s', async (Status) => {
    const State = { Status, Running: true };
    server.answers.set('GET /containers/box/json', { json: { Id: 'b', State } });
    const done = await a3s(['attach', 'box']);
    expect(done.status).toBe(1);
    expect(done.stderr).toContain(`Cannot attach to box: it is ${Status} (conflict)`);
  });
});

describe('logs', () => {
  it('sends --details of logs to the server', async () => {
    await a3s(['run', '-d', 'logged']);
    expect(await a3s(['logs', '--details', 'logged'])).toMatchObject({ status: 0 });
    expect(server.calls.at(-1)?.query.get('details')).toBe('1');
  });

  it('separates stdout and stderr of logs', async () => {
    await a3s(['run', '-d', 'logged']);
    const [box] = server.boxes.values();
    box?.log.push(frame(1, 'out\n'), frame(2, 'err\n'));
    const done = await a3s(['logs', '-t', '--tail', '5', '--since', '1700000000', 'logged']);
    expect(done).toMatchObject({ status: 0, stdout: 'out\n', stderr: 'err\n' });
    const logs = server.calls.at(-1)?.query;
    expect(Object.fromEntries(logs ?? [])).toEqual({
      stdout: '1',
      stderr: '1',
      follow: '0',
      timestamps: '1',
      since: '1700000000',
      tail: '5',
    });
  });
});

describe('load', () => {
  const load = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> => {
    server.answers.set('POST /images/load', { json: { stream: 'Loaded image: busybox:latest\n' } });
    return a3s(['load', ...args], ends);
  };

  it('loads a file or standard input', async () => {
    writeFileSync(join(directory, 'image.tar'), 'bytes of an archive');
    const done = await load(['-i', join(directory, 'image.tar')]);
    expect(done).toMatchObject({ status: 0, stdout: 'Loaded image: busybox:latest\n' });
    expect(server.called('POST /images/load')?.body).toBe('bytes of an archive');
    const stdin = new PassThrough();
    stdin.end('from stdin');
    await load(['-q'], { stdin });
    expect(server.calls.at(-1)?.body).toBe('from stdin');
    expect(server.calls.at(-1)?.query.get('quiet')).toBe('1');
  });

  it('loads a layout directory as a tar archive', async () => {
    const layout = join(directory, 'layout');
    mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(layout, 'oci-layout'), '{}');
    writeFileSync(join(layout, 'blobs/sha256/aa'), 'x'.repeat(1000));
    expect(await load(['-i', layout])).toMatchObject({ status: 0 });
    const tar = Buffer.from(server.called('POST /images/load')?.body ?? '', 'latin1');
    expect(tar.length % 512).toBe(0);
    expect(tar.subarray(0, 6).toString()).toBe('blobs/');
    expect(tar.includes('oci-layout')).toBe(true);
    symlinkSync('/etc/passwd', join(layout, 'blobs/sha256/bb'));
    const refused = await load(['-i', layout]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('neither a file nor a directory (invalid-image)');
  });

  it.each([
    ['/nonexistent', 'open /nonexistent: no such file or directory'],
    [tmpdir(), 'is not an OCI layout'],
  ])('refuses to load %s', async (path, message) => {
    const done = await load(['-i', path]);
    expect(done.status).toBe(1);
    expect(done.stderr).toContain(message);
    expect(server.log).toEqual([]);
  });

  it('reports an error in the stream of a load', async () => {
    const json = { error: 'layer is damaged', code: 'invalid-image', remedy: 'Save it again.' };
    server.answers.set('POST /images/load', { json });
    const stdin = new PassThrough();
    stdin.end();
    const done = await a3s(['load'], { stdin });
    expect(done.stderr).toBe('a3s-box: layer is damaged (invalid-image)\nSave it again.\n');
    expect(done.status).toBe(1);
  });
});

describe('info and version', () => {
  const HOST = {
    defaultEngine: { name: 'qemu', reason: 'chosen automatically' },
    engines: [
      {
        name: 'qemu',
        available: true,
        version: '10.0.13',
        accelerators: [
          { name: 'tcg', available: true },
          { name: 'kvm', available: false, reason: 'there is no /dev/kvm' },
        ],
        tees: [
          { name: 'sev-snp', available: false, reason: 'the CPU lacks it' },
          { name: 'simulated', available: true, reason: 'it protects nothing' },
        ],
      },
    ],
  };

  it('shows what the host supports, and why other features are unavailable', async () => {
    server.answers.set('GET /info', { json: { ServerVersion: '0.1.0', NCPU: 2, Images: 3 } });
    server.answers.set('GET /a3s/v1/host', { json: HOST });
    const text = (await a3s(['info'])).stdout;
    expect(text).toContain(' Default Engine: qemu (chosen automatically)\n');
    expect(text).toContain('  qemu 10.0.13: available\n');
    expect(text).toContain('    kvm: not available: there is no /dev/kvm\n');
    expect(text).toContain('    sev-snp: not available: the CPU lacks it\n');
    expect(text).toContain('    simulated: available: it protects nothing\n');
    expect(text).toContain(` Socket: ${socket}\n`);
    const json = JSON.parse((await a3s(['info', '--format', 'json'])).stdout);
    expect(json).toMatchObject({ Socket: socket, NCPU: 2, ...HOST });
    expect((await a3s(['info', '-f', '{{.Socket}}'])).stdout).toBe(`${socket}\n`);
  });

  it.each([
    [{ source: 'built-in', digest: 'sha256:aa' }, 'built in, which allows every image (sha256:aa)'],
    [{ source: 'file', path: '/etc/p.yaml', digest: 'sha256:aa' }, '/etc/p.yaml (sha256:aa)'],
    [{ problem: { code: 'policy-invalid', message: 'Cannot use it' } }, 'Cannot use it'],
  ])('shows the image policy in force: %j', async (imagePolicy, text) => {
    server.answers.set('GET /info', { json: {} });
    server.answers.set('GET /a3s/v1/host', { json: { imagePolicy } });
    expect((await a3s(['info'])).stdout).toContain(` Image Policy: ${text}\n`);
  });

  it('prints the version of the client without a server', async () => {
    const done = await a3s(['version', '--client', '--format', '{{.Client.Version}}']);
    expect(done).toMatchObject({ status: 0, stdout: '0.1.0\n' });
    expect(server.log).toEqual([]);
  });
});
