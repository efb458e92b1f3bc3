import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { commandTree } from '../command-tree.ts';
import { transcript } from '../testing/fake-context.ts';
import { serveFake } from '../testing/serve-fake.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type Place, places } from './model.ts';
import { zshScript } from './zsh.ts';

const { server, socket, directory } = serveFake();

let all: readonly Place[] = [];
const scripts: Record<'bash' | 'fish' | 'zsh', string> = { bash: '', fish: '', zsh: '' };
/** A program that prints the requested kind instead of names. */
const STUB = '#!/bin/sh\necho "$*" | sed "s/__complete //; s/ /-/g; s/$/:1/"\n';

beforeAll(async () => {
  all = places(await commandTree(COMMANDS, GROUPS));
  scripts.bash = bashScript(all);
  scripts.fish = fishScript(all);
  scripts.zsh = zshScript(all);
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'bin/a3s-box'), STUB);
  chmodSync(join(directory, 'bin/a3s-box'), 0o755);
  writeFileSync(join(directory, 'file.txt'), '');
});

/** What bash offers for a line with the cursor at its end. */
function offered(line: string): readonly string[] {
  const script = `${scripts.bash}\nCOMP_LINE=$1 COMP_POINT=\${#1}\n_a3s_box\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '--noprofile', '-c', script, 'bash', line], {
    cwd: directory,
    env: { PATH: `${directory}/bin:${process.env['PATH']}` },
    encoding: 'utf8',
  });
  return output.split('\n').filter((word) => word !== '');
}

describe('bash', () => {
  it.each([
    ['a3s-box ru', ['run']],
    ['a3s-box container re', ['rename', 'restart']],
    [
      'a3s-box run --mem',
      ['--memory', '--memory-reservation', '--memory-swap', '--memory-swappiness'],
    ],
    ['a3s-box box ls --no-t', ['--no-trunc']],
    ['a3s-box container list --no-t', ['--no-trunc']],
    // Names of boxes in a state that the command accepts.
    ['a3s-box stop ', ['running:1']],
    ['a3s-box start ', ['stopped:1']],
    ['a3s-box unpause ', ['paused:1']],
    ['a3s-box rm -f ', ['boxes:1']],
    ['a3s-box container rm one ', ['boxes:1']],
    ['a3s-box rename ', ['boxes:1']],
    ['a3s-box rename one ', []],
    ['a3s-box run -it --name x ', ['images:1']],
    ['a3s-box run -m 512m ', ['images:1']],
    ['a3s-box run -m512m ', ['images:1']],
    ['a3s-box run -itm 512m ', ['images:1']],
    ['a3s-box rmi ', ['images:1']],
    ['a3s-box inspect ', ['boxes-images-networks-volumes:1']],
    ['a3s-box pool rm ', ['pools:1']],
    ['a3s-box volume rm one ', ['volumes:1']],
    ['a3s-box volume inspect ', ['volumes:1']],
    ['a3s-box volume create ', []],
    ['a3s-box network rm one ', ['networks:1']],
    ['a3s-box network connect ', ['networks:1']],
    ['a3s-box network connect one ', ['boxes:1']],
    ['a3s-box network create ', []],
    ['a3s-box completion ', ['bash', 'zsh', 'fish']],
    ['a3s-box completion bash ', []],
    // The word after a flag is its value, and words after the image belong to the program in the
    // box.
    ['a3s-box run --name ', []],
    ['a3s-box run --name=', []],
    ['a3s-box run img ', []],
    ['a3s-box run img --rm', []],
    ['a3s-box exec box ', []],
    // A colon does not end a word.
    ['a3s-box run images:', ['1']],
    // Files.
    ['a3s-box run --env-file fi', ['file.txt']],
    ['a3s-box run --env-file=fi', ['file.txt']],
    ['a3s-box import fi', ['file.txt']],
    ['a3s-box nonsense ', []],
    ['a3s-box rm -- --', []],
  ])('bash completes %j with %j', (line, words) => {
    expect(offered(line)).toEqual(words);
  });

  it('bash completion offers every command', () => {
    expect([...offered('a3s-box ')].sort()).toEqual(
      [...new Set([...Object.keys(COMMANDS), ...Object.keys(GROUPS)])].sort(),
    );
  });

  it('bash completion offers no unsupported flag', () => {
    expect(offered('a3s-box run --')).not.toContain('--gpus');
  });

  it('bash completion is valid, and registers itself', () => {
    const check = `${scripts.bash}\ncomplete -p a3s-box`;
    const output = execFileSync('bash', ['--norc', '--noprofile', '-c', check], {
      encoding: 'utf8',
    });
    expect(output).toBe('complete -F _a3s_box a3s-box\n');
  });
});

/**
 * Neither shell is available to these tests, which check only that the scripts are complete and
 * quoted.
 */
describe('zsh and fish', () => {
  it('zsh and fish complete every command and flag that bash completes', () => {
    for (const place of all) {
      for (const path of place.paths) {
        expect(scripts.zsh).toContain(`'${path}'`);
        if (place.flags.length > 0) expect(scripts.fish).toContain(`"${path}"`);
      }
      for (const { word } of place.commands) {
        expect(scripts.zsh).toContain(`'${word}:`);
        expect(scripts.fish).toContain(` -a ${word} -d '`);
      }
      for (const { word } of place.flags) {
        expect(scripts.zsh).toContain(`'${word}:`);
        expect(scripts.fish).toMatch(new RegExp(` -l ${word.slice(2)}( |$)`, 'm'));
      }
    }
  });

  it('zsh and fish scripts have balanced quotes and brackets', () => {
    for (const line of scripts.fish.split('\n').filter((one) => one.startsWith('complete'))) {
      expect(line.replaceAll(/\\'/g, '').split("'").length % 2).toBe(1);
    }
    expect(scripts.zsh.startsWith('#compdef a3s-box\n')).toBe(true);
    const table = scripts.zsh.slice(0, scripts.zsh.indexOf('\n_a3s_box_names'));
    const count = (pattern: RegExp): number => table.match(pattern)?.length ?? 0;
    expect(count(/^ {4}\(.*\)/gm)).toBe(all.length + 1);
    expect(count(/;;$/gm)).toBe(all.length + 1);
    // bash parses this part, which uses no syntax specific to zsh.
    expect(() => execFileSync('bash', ['-n'], { input: table })).not.toThrow();
  });
});

describe('the commands', () => {
  it.each(['bash', 'zsh', 'fish'] as const)(
    'completion %s prints the script of that shell',
    async (shell) => {
      const done = await transcript(socket, ['completion', shell]);
      expect(done).toMatchObject({ status: 0, stdout: scripts[shell], stderr: '' });
    },
  );

  it('completion refuses an unsupported shell', async () => {
    const done = await transcript(socket, ['completion', 'tcsh']);
    expect(done.status).toBe(1);
    expect(done.stderr).toContain('unsupported shell tcsh');
  });

  it.each([
    ['running', { status: ['running', 'paused', 'restarting'] }],
    ['stopped', { status: ['created', 'exited', 'dead'] }],
    ['boxes', undefined],
  ])('__complete %s requests the boxes with the filters %j', async (kind, filters) => {
    server.answers.set('GET /containers/json', { json: [{ Names: ['/web'] }, { Names: ['/db'] }] });
    const done = await transcript(socket, ['__complete', kind]);
    expect(done).toMatchObject({ status: 0, stdout: 'web\ndb\n', stderr: '' });
    const asked = server.called('GET /containers/json')?.query.get('filters') ?? null;
    expect(asked === null ? undefined : JSON.parse(asked)).toEqual(filters);
  });

  it('__complete prints the names of images, except names that a shell would split', async () => {
    const json = [{ RepoTags: ['busybox:1', 'bad name:1'] }, { RepoTags: null }];
    server.answers.set('GET /images/json', { json });
    expect((await transcript(socket, ['__complete', 'images'])).stdout).toBe('busybox:1\n');
  });

  it('__complete gives names of volumes', async () => {
    const json = { Volumes: [{ Name: 'data' }, { Name: 'b'.repeat(64) }], Warnings: [] };
    server.answers.set('GET /volumes', { json });
    const done = await transcript(socket, ['__complete', 'volumes']);
    expect(done).toMatchObject({ status: 0, stdout: `data\n${'b'.repeat(64)}\n` });
  });

  it('__complete prints no error when there is no server, when it fails, and for unknown kinds', async () => {
    const nobody = await transcript(socket, ['__complete', 'boxes'], { noServer: true });
    expect(nobody).toMatchObject({ status: 0, stdout: '', stderr: '' });
    server.answers.set('GET /containers/json', { status: 500, json: { message: 'no' } });
    const failed = await transcript(socket, ['__complete', 'boxes']);
    expect(failed).toMatchObject({ status: 1, stdout: '', stderr: '' });
    const unknown = await transcript(socket, ['__complete', 'constructor']);
    expect(unknown).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('__complete is not listed in the help', async () => {
    expect((await transcript(socket, ['--help'])).stdout).not.toContain('__complete');
  });
});
