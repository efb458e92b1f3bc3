import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { applyChanges } from './changes.ts';

const braced = (name: string): string => ['$', '{', name, '}'].join('');

describe('changes', () => {
  it.each([
    [['CMD ["a", "b c"]'], { Cmd: ['a', 'b c'] }],
    [['CMD echo "hi there"'], { Cmd: ['/bin/sh', '-c', 'echo "hi there"'] }],
    [['cmd []'], { Cmd: [] }],
    [['CMD [a]'], { Cmd: ['/bin/sh', '-c', '[a]'] }],
    [['ENTRYPOINT ["/init"]'], { Entrypoint: ['/init'] }],
    [['ENV A=1 B="two words" C=x\\ y'], { Env: ['A=1', 'B=two words', 'C=x y'] }],
    [['ENV A one  "two"'], { Env: ['A=one  two'] }],
    [['ENV A=1', 'ENV A=2 B=$A', `ENV B=${braced('A')}$B`], { Env: ['A=2', 'B=21'] }],
    [
      ['ENV A= B=1', `USER ${braced('A:-x')}${braced('A-y')}${braced(`C-"$B ${braced('C:-}')}"`)}`],
      { Env: ['A=', 'B=1'], User: 'x1 }' },
    ],
    [
      ['ENV A= B=1', `USER ${braced('A:+x')}${braced('A+y')}${braced('B:+z')}${braced('B:?no')}`],
      { Env: ['A=', 'B=1'], User: 'yz1' },
    ],
    [['ENV A=\'$B\' C=\\$D E="\\$F"'], { Env: ['A=$B', 'C=$D', 'E=$F'] }],
    [['LABEL a.b=c d="e f"'], { Labels: { 'a.b': 'c', d: 'e f' } }],
    [
      ['EXPOSE 80 53/udp 9000-9002/TCP'],
      {
        ExposedPorts: {
          '80/tcp': {},
          '53/udp': {},
          '9000/tcp': {},
          '9001/tcp': {},
          '9002/tcp': {},
        },
      },
    ],
    [['USER 1000:100'], { User: '1000:100' }],
    [['ENV U=me', 'USER $U'], { Env: ['U=me'], User: 'me' }],
    [['VOLUME /a /b'], { Volumes: { '/a': {}, '/b': {} } }],
    [['VOLUME ["/a b"]'], { Volumes: { '/a b': {} } }],
    [['WORKDIR /a', 'WORKDIR b'], { WorkingDir: '/a/b' }],
    [['WORKDIR x/../y'], { WorkingDir: '/y' }],
    [['STOPSIGNAL SIGUSR1'], { StopSignal: 'SIGUSR1' }],
    [['STOPSIGNAL 9'], { StopSignal: '9' }],
    [['ONBUILD RUN make'], { OnBuild: ['RUN make'] }],
    [['USER a\nENV A=1\r\n\n# USER b\nWORKDIR /x'], { User: 'a', Env: ['A=1'], WorkingDir: '/x' }],
    [['ENV A=1 \\\n  # not this\n  B=2'], { Env: ['A=1', 'B=2'] }],
    [['CMD echo \\', 'joined'], { Cmd: ['/bin/sh', '-c', 'echo joined'] }],
    [['USER a \\'], { User: 'a' }],
    [[], {}],
  ])('applies the changes %j to a configuration', (changes, config) => {
    expect(applyChanges(changes)).toEqual(config);
  });

  it.each([
    ['RUN true', 'invalid-argument', /^RUN is not a valid change command$/],
    ['constructor x', 'invalid-argument', /is not a valid change command/],
    ['', 'invalid-argument', /file with no instructions/],
    ['# CMD x\n\n', 'invalid-argument', /file with no instructions/],
    ['\u001b[2J x', 'invalid-argument', /^"\\u001b\[2J" is not a valid change command/],
    ['CMD', 'invalid-argument', /CMD requires at least one argument/],
    ['ENV A', 'invalid-argument', /ENV must have two arguments/],
    ['LABEL A', 'invalid-argument', /LABEL must have two arguments/],
    ['ENV A=1 B', 'invalid-argument', /can't find = in "B". Must be of the form: name=value/],
    ['ENV =1', 'invalid-argument', /ENV names can not be blank/],
    ['ENV A="x', 'invalid-argument', /a quote is not closed/],
    ["ENV A='x", 'invalid-argument', /a quote is not closed/],
    [`ENV A=${braced('B#c')}`, 'invalid-argument', /a variable is a name/],
    [`ENV A=${braced('B:-c').slice(0, -1)}`, 'invalid-argument', /a variable is a name/],
    [
      `ENV A=${braced('B:-').slice(0, -1).repeat(10_000)}`,
      'invalid-argument',
      /more than 32 variables in each other/,
    ],
    [`ENV A=${braced('B:?')}`, 'invalid-argument', /B: not allowed to be unset/],
    [`ENV A=${braced('B?give B')}`, 'invalid-argument', /B: give B/],
    ['EXPOSE 0', 'invalid-argument', /a port is a number/],
    ['EXPOSE 70000', 'invalid-argument', /a port is a number/],
    [`EXPOSE${' 1-65535'.repeat(2)}`, 'invalid-argument', /it names too many ports/],
    ['EXPOSE 9-8', 'invalid-argument', /a port is a number/],
    ['EXPOSE 80/icmp', 'invalid-argument', /a port is a number/],
    ['VOLUME [""]', 'invalid-argument', /VOLUME specified can not be an empty string/],
    ['STOPSIGNAL ; rm', 'invalid-argument', /no signal/],
    ['ONBUILD ONBUILD RUN x', 'invalid-argument', /Chaining ONBUILD via `ONBUILD ONBUILD`/],
    ['ONBUILD FROM x', 'invalid-argument', /FROM isn't allowed as an ONBUILD trigger/],
    ['USER a\nRUN b', 'invalid-argument', /^RUN is not a valid change command/],
    ['USER a\0b', 'invalid-argument', /it has a NUL/],
  ])('refuses the change %j', (change, code, message) => {
    expect(() => applyChanges([change])).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [['CMD x'], { Cmd: ['/bin/bash', '-c', 'x'], Entrypoint: ['/init'] }],
    [['ENTRYPOINT ["/e"]'], { Entrypoint: ['/e'], Cmd: undefined }],
    [['CMD ["c"]', 'ENTRYPOINT ["/e"]'], { Entrypoint: ['/e'], Cmd: ['c'] }],
    [['ENV B=$A A=2'], { Env: ['A=2', 'C=', 'B=1'] }],
    [['LABEL a=2 c=3'], { Labels: { a: '2', b: '1', c: '3' } }],
    [
      ['EXPOSE 81', 'VOLUME /w'],
      { ExposedPorts: { '80/tcp': {}, '81/tcp': {} }, Volumes: { '/v': {}, '/w': {} } },
    ],
    [['WORKDIR below'], { WorkingDir: '/srv/below' }],
    [['ONBUILD RUN b'], { OnBuild: ['RUN a', 'RUN b'] }],
    [[], { User: 'me', StopSignal: 'SIGINT', Healthcheck: { Test: ['NONE'] } }],
  ])('applies the changes %j over a configuration', (changes, config) => {
    const base = {
      ...{ Entrypoint: ['/init'], Cmd: ['run'], Env: ['A=1', 'C=', 'REMOVED'] },
      ...{ Labels: { a: '1', b: '1' }, ExposedPorts: { '80/tcp': {} }, Volumes: { '/v': {} } },
      ...{ WorkingDir: '/srv', User: 'me', StopSignal: 'SIGINT', OnBuild: ['RUN a'] },
      ...{ Healthcheck: { Test: ['NONE'] }, Shell: ['/bin/bash', '-c'] },
    };
    expect(applyChanges(changes, base)).toEqual({ ...base, Env: ['A=1', 'C='], ...config });
  });

  it('refuses a change of 70000 characters', () => {
    expect(() => applyChanges([`USER ${'x'.repeat(70_000)}`])).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringMatching(/longer than/),
      }),
    );
  });

  it('refuses more than 256 changes', () => {
    expect(() => applyChanges(Array.from({ length: 257 }, () => 'USER a'))).toThrow(A3sError);
  });

  it('limits the size of variables that refer to other variables', () => {
    const first = `ENV A=${'x'.repeat(1000)}`;
    const doubled = Array.from({ length: 250 }, () => 'ENV A=$A$A');
    expect(() => applyChanges([first, ...doubled])).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining('stand for more than 65536 characters'),
      }),
    );
    expect(() => applyChanges([first, `LABEL ${'a=$A '.repeat(66)}`])).toThrow(/stand for more/);
  });

  const word = fc.constantFrom('ENV', 'LABEL', 'CMD', 'EXPOSE', 'VOLUME', 'WORKDIR', 'USER');
  const line = fc.tuple(word, fc.string({ maxLength: 60 })).map((parts) => parts.join(' '));
  fuzz.prop([fc.array(line, { maxLength: 5 })], fuzzRuns())(
    'applies any changes to a configuration of strings or refuses them',
    (changes) => {
      try {
        const { Env = [], WorkingDir = '/' } = applyChanges(changes);
        for (const entry of Env) expect(entry).toContain('=');
        expect(WorkingDir.startsWith('/')).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(A3sError);
      }
    },
  );
});
