import { describe, expect, it } from 'vitest';
import { imagePatternFault } from './image-pattern.ts';

describe('imagePatternFault', () => {
  it.each([
    ['**'],
    ['docker.io/library/redis'],
    ['docker.io/**'],
    ['docker.io/library/*'],
    ['registry.example:5000/team/**'],
    ['registry.example:*/team/**'],
    ['localhost/app'],
    ['localhost:5000/**'],
    ['[::1]:5000/app'],
    ['*.example/team/app'],
    ['*/team/app'],
    ['**/app'],
    ['**.example/team'],
  ])('takes %s', (pattern) => {
    expect(imagePatternFault(pattern)).toBeUndefined();
  });

  it.each([
    ['redis', 'the canonical name, docker.io/library/redis'],
    ['redis:7', 'the canonical name, docker.io/library/redis'],
    ['redis*', 'the canonical name, docker.io/library/redis*'],
    ['redis**', 'the canonical name, docker.io/library/redis**'],
    ['library/**', 'the canonical name, docker.io/library/**'],
    ['team/app', 'the canonical name, docker.io/team/app'],
    ['docker.io/redis', 'the canonical name, docker.io/library/redis'],
    ['docker.io/*', 'the canonical name, docker.io/library/*'],
    ['index.docker.io/library/redis', 'the canonical name, docker.io/library/redis'],
    ['index.docker.io/redis', 'the canonical name, docker.io/library/redis'],
    ['*', '** for all images'],
    ['*app', '**app, or a host and a name'],
    ['registry.example', 'registry.example/** for all of that host'],
    ['localhost:5000', 'localhost:5000/** for all of that host'],
    ['registry.example:x/app', 'a host with a port of digits, such as registry.example:5000'],
    ['Registry.example/app', 'lower case: registry.example/app'],
    ['registry.example//app', 'a name without an empty part'],
    ['registry.example/app/', 'a name without an empty part'],
    ['registry.example/app:7', 'a repository without a tag: rules are about all tags of one'],
    ['registry.example/app@sha256:0', 'a repository without a digest'],
    ['registry.example/***', '"*" within a part of the name, or "**" across parts'],
    ['registry.example/a b', 'a pattern of letters, digits, ".", "_", "-", ":", "/", "*" and "**"'],
    [
      '^registry.example/.+$',
      'a pattern of letters, digits, ".", "_", "-", ":", "/", "*" and "**"',
    ],
  ])('asks for something else than %s', (pattern, expected) => {
    expect(imagePatternFault(pattern)).toBe(expected);
  });

  it.each([[''], ['a'.repeat(521)], [7], [null], [['**']]])('takes no %j', (pattern) => {
    expect(imagePatternFault(pattern)).toMatch(/^a pattern of 1 to 520 characters/);
  });
});
