import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../usage-error.ts';
import { Template } from './template.ts';

const BOX = {
  Id: 'abc',
  Name: '/web',
  State: { Running: true, ExitCode: 0, Status: 'running' },
  Config: {
    Env: ['A=1', 'B=2'],
    Labels: { a: 'x', 'b.c': 'y' },
    Entrypoint: null,
    Cmd: ['sh', '-c'],
  },
  NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }] } },
  Mounts: [],
};

const evaluate = (source: string): string => new Template(source).evaluate(BOX);

describe('a template', () => {
  it.each([
    ['{{.Id}}', 'abc'],
    ['{{ .State.Running }} {{.State.ExitCode}}', 'true 0'],
    ['{{json .State}}', '{"Running":true,"ExitCode":0,"Status":"running"}'],
    ['{{json .Config.Entrypoint}}', 'null'],
    ['{{.Config.Env}}', '[A=1 B=2]'],
    ['{{.Config.Labels}}', 'map[a:x b.c:y]'],
    ['{{.Config.Labels.a}} {{.Config.Labels.zzz}}', 'x <no value>'],
    ['{{index .Config.Labels "b.c"}}{{index .Config.Labels "zzz"}}', 'y'],
    ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8080'],
    [
      '{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> {{(index $c 0).HostPort}}{{end}}',
      '80/tcp -> 8080',
    ],
    ['{{range .Config.Env}}{{println .}}{{end}}', 'A=1\nB=2\n'],
    ['{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}', '0=A=1;1=B=2;'],
    ['{{range .Mounts}}m{{else}}none{{end}}', 'none'],
    ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
    [
      '{{if eq .State.Status "dead"}}d{{else if eq .State.Status "running" "paused"}}r{{else}}o{{end}}',
      'r',
    ],
    ['{{if and .State.Running (not .State.ExitCode)}}ok{{end}}', 'ok'],
    ['{{with .Config}}{{len .Env}} {{$.Id}}{{end}}', '2 abc'],
    ['{{$x := .Id}}{{$x | upper | printf "%s-%s" "n" }}', 'n-ABC'],
    ['{{printf "%-5s|%5s|%05d|%q" "ab" "cd" 42 "e"}}', 'ab   |   cd|00042|"e"'],
    ['{{join .Config.Cmd ","}} {{split "a,b" ","}} {{title "the end"}}', 'sh,-c [a b] The End'],
    ['{{.Name | lower}}{{`raw "}}` }}', '/webraw "}}'],
    ['a {{- /* comment */ -}} b', 'ab'],
    ['a {{- .Id -}} b', 'aabcb'],
    ['{{slice .Id 1}} {{truncate .Id 2}} {{pad .Id 1 2}}|', 'bc ab  abc  |'],
    ['{{"tab\\t\\"q\\""}}', 'tab\t"q"'],
    ['{{gt 3 2}} {{le "a" "b"}} {{ne 1 2}}', 'true true true'],
    ['{{.}}', expect.stringContaining('map[Config:map[')],
    ['plain', 'plain'],
  ])('evaluates the template %s', (source, expected) => {
    expect(evaluate(source)).toEqual(expected);
  });

  it.each([
    ['{{.Foo', 'unclosed action'],
    ['{{}}', 'missing value'],
    ['{{if .Id}}x', 'has no {{end}}'],
    ['{{end}}', 'unexpected {{end}}'],
    ['{{"open}}', 'unterminated quoted string'],
    ['{{.Id | }}', 'missing value'],
    ['{{(.Id}}', 'unclosed left paren'],
    ['{{nope .Id}}', 'function "nope" not defined'],
    ['{{template "x"}}', 'not supported'],
    ['{{.Nope}}', "can't evaluate field Nope"],
    ['{{.Id.Nope}}', "can't evaluate field Nope"],
    ['{{$nope}}', 'undefined variable'],
    ['{{index .Config.Env 9}}', 'index out of range'],
    ['{{range .Id}}{{end}}', "can't iterate"],
    ['{{.Id "x"}}', "can't give arguments"],
    ['{{1 := 2}}', 'malformed variable declaration'],
    ['{{.Id ^}}', 'unexpected "^"'],
  ])('refuses the template %s', (source, message) => {
    expect(() => evaluate(source)).toThrow(UsageError);
    expect(() => evaluate(source)).toThrow(message);
  });

  it('calls the methods of a row in a template', () => {
    const row = { Label: (name: string) => `<${name}>` };
    expect(new Template('{{.Label "a"}}').evaluate(row)).toBe('<a>');
    expect(new Template('{{json .}}').evaluate(row)).toBe('{}');
  });

  const pieces = [
    '{{',
    '}}',
    '.',
    'Id',
    '|',
    '(',
    ')',
    '"',
    '`',
    '$x',
    ':=',
    'if',
    'range',
    'end',
    'else',
    ' ',
    '-',
    '/*',
    '*/',
    'index',
    '0',
  ];
  test.prop(
    [
      fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), {
        maxLength: 30,
      }),
    ],
    fuzzRuns(),
  )('evaluates or refuses any template', (parts) => {
    try {
      expect(typeof evaluate(parts.join(''))).toBe('string');
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
    }
  });
});
