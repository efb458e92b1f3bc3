import { expect, it } from 'vitest';
import type { ImageConfig } from '../../oci/config.ts';
import type { BoxDefinition } from '../record/box.ts';
import { committedConfig } from './committed-config.ts';

const IMAGE = { config: { shell: ['/bin/sh', '-e', '-c'] } as unknown as ImageConfig };
const BOX = {
  ...{ entrypoint: [], cmd: ['x'], env: [], cwd: '', user: '', labels: {} },
  ...{ exposedPorts: [], volumes: [] },
} as unknown as BoxDefinition;

it('keeps the shell of the image where the box was given none', () => {
  expect(committedConfig(BOX, IMAGE, [])).toMatchObject({ Shell: ['/bin/sh', '-e', '-c'] });
});

it('keeps the shell and the triggers that the box was given, and adds those of the changes', () => {
  const definition: BoxDefinition = { ...BOX, shell: ['/bin/ash', '-c'], onBuild: ['RUN make'] };
  expect(committedConfig(definition, IMAGE, ['ONBUILD COPY . /src'])).toMatchObject({
    Shell: ['/bin/ash', '-c'],
    OnBuild: ['RUN make', 'COPY . /src'],
  });
});
