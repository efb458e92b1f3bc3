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
  ])('accepts the image pattern %s', (pattern) => {
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
    ['registry-1.docker.io/library/redis', 'the canonical name, docker.io/library/redis'],
    ['registry.hub.docker.com/redis', 'the canonical name, docker.io/library/redis'],
    ['docker.io:443/team/*', 'the canonical name, docker.io/team/*'],
    ['localhost:05055/**', 'the host as it is in names: localhost:5055'],
    ['localhost:0*/**', 'a port without a zero before it'],
    ['registry.example:443/**', 'the host as it is in names: registry.example'],
    ['registry.example:80/**', 'the host as it is in names: registry.example'],
    ['127.1:5000/**', 'the host as it is in names: 127.0.0.1:5000'],
    ['[0:0::1]:5000/**', 'the host as it is in names: [::1]:5000'],
    ['[::ffff:7f00:1]/**', 'the host as it is in names: 127.0.0.1'],
    [
      'registry.example:0/**',
      'another host: registry.example:0 has port 0, where nothing can listen',
    ],
    ['0.0.0.0:5000/**', 'another host: 0.0.0.0:5000 has an address of no host'],
    [
      'registry.example:65536/**',
      'another host: registry.example:65536 is neither the name nor the address of a host',
    ],
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
  ])('refuses the image pattern %s and asks for %s', (pattern, expected) => {
    expect(imagePatternFault(pattern)).toBe(expected);
  });

  it.each([[''], ['a'.repeat(521)], [7], [null], [['**']]])(
    'refuses %j as an image pattern',
    (pattern) => {
      expect(imagePatternFault(pattern)).toMatch(/^a pattern of 1 to 520 characters/);
    },
  );
});
