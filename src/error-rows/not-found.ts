/**
 * Error codes with the HTTP status 404: it does not exist.
 *
 * @module
 */
import type { ErrorRow } from '../error-row.ts';

export const NOT_FOUND = {
  'no-such-image': {
    status: 404,
    lasting: true,
    meaning: 'No image here has the name or id.',
    remedy: 'List them with `a3s-box images`, or pull it.',
  },
  'not-in-registry': {
    status: 404,
    meaning: 'The registry does not have the image.',
    remedy: 'Check the name and the tag.',
  },
  'no-such-policy': {
    status: 404,
    exitCode: 125,
    lasting: true,
    meaning: 'The server does not have the image policy of a call: it forgets them.',
    remedy: 'Run the command again with `--image-policy`, or hand the policy over again.',
  },
  'no-such-template': {
    status: 404,
    meaning: 'No template has the key.',
    remedy: 'List them with `a3s-box template ls`.',
  },
  'no-such-snapshot': {
    status: 404,
    meaning: 'No snapshot has the name or id.',
    remedy: 'List them with `a3s-box snapshot ls`.',
  },
  'no-such-builder': {
    status: 404,
    meaning: 'There is no builder of that name.',
    remedy: '`a3s-box builder ls` lists them.',
  },
  'no-such-pool': {
    status: 404,
    meaning: 'There is no pool of that shape.',
    remedy: 'List them with `a3s-box pool ls`.',
  },
  'no-such-boot-set': {
    status: 404,
    meaning: 'No boot set has the id.',
    remedy: 'List them with `a3s-box boot ls`.',
  },
  'no-such-network': {
    status: 404,
    lasting: true,
    meaning: 'No network has the name or id.',
    remedy: 'List them with `a3s-box network ls`.',
  },
  'no-such-volume': {
    status: 404,
    lasting: true,
    taken: true,
    meaning: 'No volume has the name.',
    remedy: 'List them with `a3s-box volume ls`.',
  },
  'no-such-driver': {
    status: 404,
    meaning: 'Volumes have the driver `local`, networks have `bridge`, and neither has another.',
    remedy: 'Leave the driver out.',
  },
  'no-such-box': {
    status: 404,
    taken: true,
    meaning: 'No box has the name or id.',
    remedy: 'List them with `a3s-box ps -a`.',
  },
  'no-such-pod': {
    status: 404,
    meaning: 'No pod of Kubernetes has the id.',
    remedy: 'List them with `crictl pods`.',
  },
  'no-such-container': {
    status: 404,
    meaning: 'No container of a pod has the id.',
    remedy: 'List them with `crictl ps -a`.',
  },
  'no-such-file': {
    status: 404,
    meaning: 'The box does not have the path.',
    remedy: 'Look with `a3s-box exec BOX ls`.',
  },
  'no-such-exec': {
    status: 404,
    meaning: 'No exec has the id, or its guest does not know it any more.',
    remedy: 'Create it again.',
  },
  'no-such-route': {
    status: 404,
    meaning: 'The API does not have the path.',
    remedy: 'See docs/docker-api.md, or `GET /a3s/v1/openapi.json`.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;
