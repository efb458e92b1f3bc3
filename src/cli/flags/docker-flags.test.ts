/**
 * Compares our flags with those in the help of Docker's command line.
 */
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { GLOBAL_FLAGS } from '../cli-flags.ts';
import { COMMANDS, GROUPS } from '../command-table/command-table.ts';
import { UNSUPPORTED_COMMANDS } from '../command-table/unsupported-commands.ts';
import type { Flag } from './flag.ts';

interface DockerFlag {
  readonly name: string;
  readonly short: string | undefined;
  readonly takes: boolean;
}

const docker = (...args: string[]): string =>
  execFileSync('docker', [...args, '--help'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', DOCKER_HOST: 'unix:///nonexistent' },
  });

function flagsOf(help: string): readonly DockerFlag[] {
  const rows = help.matchAll(/^ {2}(?:-(\w), | {4})--([\w-]+)(?: ([\w-]+))?(?: {2,}|$)/gm);
  const found = [...rows];
  // Each command has at least one flag: a changed layout of the help fails the test.
  if (help.includes('\nOptions:')) expect(found.length).toBeGreaterThan(0);
  return found.map(([, short, name = '', value]) => ({
    name,
    short,
    takes: value !== undefined,
  }));
}

function commandsOf(help: string): readonly string[] {
  const sections = help.split(/\n(?=\S)/).filter((section) => /^(?:\w+ )*Commands:/.test(section));
  return sections.flatMap((section) =>
    [...section.matchAll(/^ {2}([a-z]+)\*? /gm)].map(([, name = '']) => name),
  );
}

function expectEach(theirs: readonly DockerFlag[], ours: readonly Flag[]): void {
  for (const { name, short, takes } of theirs) {
    const flag = ours.find((candidate) => candidate.name === name || candidate.alias === name);
    expect(flag, `--${name}`).toBeDefined();
    expect(flag?.kind !== 'bool', `--${name} takes a value`).toBe(takes);
    expect(flag?.short, `the letter of --${name}`).toBe(short);
  }
}

const ALONE = [
  ...['attach', 'create', 'events', 'exec', 'history', 'images', 'import', 'info', 'inspect'],
  ...['kill', 'load', 'login', 'logout', 'logs', 'pause', 'port', 'ps', 'pull', 'push', 'rename'],
  ...['restart', 'rm', 'rmi', 'run', 'save', 'start', 'stats', 'stop', 'tag', 'top', 'unpause'],
  ...['update', 'version', 'wait'],
];

it('parses docker’s help', () => {
  const flags = flagsOf(docker('run'));
  expect(flags.length).toBeGreaterThan(90);
  expect(flags).toContainEqual({ name: 'tty', short: 't', takes: false });
  expect(flags).toContainEqual({ name: 'memory', short: 'm', takes: true });
});

describe('the flags of docker', () => {
  it.each(ALONE)('supports or refuses by name every flag of docker %s', async (name) => {
    const command = await COMMANDS[name]?.load();
    expectEach(
      flagsOf(docker(name)).filter((flag) => flag.name !== 'help'),
      command?.flags ?? [],
    );
  });

  it.each(['container', 'image', 'network', 'system', 'volume'])(
    'supports or refuses by name every command and flag of docker %s',
    async (group) => {
      for (const verb of commandsOf(docker(group))) {
        const entry = GROUPS[group]?.commands[verb];
        if (entry === undefined) {
          const refused = [verb, `${group} ${verb}`].some((name) => UNSUPPORTED_COMMANDS.has(name));
          expect(refused, `${group} ${verb}`).toBe(true);
          continue;
        }
        const { flags } = await entry.load();
        expectEach(
          flagsOf(docker(group, verb)).filter((flag) => flag.name !== 'help'),
          flags,
        );
      }
    },
  );
});

describe('docker itself', () => {
  let help = '';
  beforeAll(() => {
    help = docker();
  });

  it('supports or refuses by name every command of docker', () => {
    const theirs = commandsOf(help);
    expect(theirs).toContain('run');
    for (const name of theirs) {
      const known = name in COMMANDS || name in GROUPS || UNSUPPORTED_COMMANDS.has(name);
      expect(known, name).toBe(true);
    }
  });

  it('supports or refuses by name every global flag of docker', () => {
    expectEach(flagsOf(help), GLOBAL_FLAGS);
  });

  it('lists no supported command as unsupported', () => {
    for (const name of UNSUPPORTED_COMMANDS.keys()) {
      expect(name in COMMANDS || name in GROUPS, name).toBe(false);
    }
  });
});
