/**
 * An image that the containers of a manifest are of.
 *
 * @module
 */
import type { Image, VerityLayer } from '../../images/image.ts';

export const IMAGE_CONFIG: Image['config'] = {
  ...{ entrypoint: ['/entry'], cmd: ['serve'], env: ['PATH=/bin', 'MODE=fast'] },
  ...{ workingDir: '/srv', user: '1000:2000', labels: {}, stopSignal: 'SIGQUIT' },
  ...{ exposedPorts: [], volumes: [] },
};

export const VERITY_LAYER: VerityLayer = {
  diffId: `sha256:${'b'.repeat(64)}`,
  path: '/layer',
  bytes: 4096,
  root: 'c'.repeat(64),
};
