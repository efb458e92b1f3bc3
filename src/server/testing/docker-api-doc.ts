/**
 * Makes docs/docker-api.md, from the table of routes and the lists of fields.
 *
 * @module
 */

import {
  DISCARDED_LIMITS,
  UNSUPPORTED_ENDPOINT,
  UNSUPPORTED_HOST_CONFIG,
  type UnsupportedOptions,
} from '../docker/containers/create/unsupported-options.ts';
import { NOT_UPDATED, UPDATE_KEYS } from '../docker/containers/parse-update.ts';
import { EXEC_KEYS } from '../docker/containers/processes/exec.ts';
import { openApiPath } from '../http/openapi.ts';
import type { RouteEntry } from '../http/route.ts';
import { ROUTES } from '../routes.ts';
import { API_VERSION, MIN_API_VERSION } from '../version.ts';
import type { Field } from './create-field.ts';
import { CONFIG_FIELDS } from './create-fields.ts';
import { ENDPOINT_FIELDS } from './endpoint-fields.ts';
import { HOST_CONFIG_FIELDS } from './host-config-fields.ts';

/** Where a route does less than Docker's, or differs from it. */
export const ROUTE_NOTES: Readonly<Record<string, string>> = {
  'GET /info': 'control groups are those of the guest; those of the host contain no box',
  'GET /events': 'the last 256 events are kept; templates, snapshots and pools have events too',
  'GET /system/df': 'sizes are the bytes allocated on this host',
  'POST /auth': 'credentials are not stored: clients send them with each request that needs them',
  'GET /containers/json':
    'the filter `name` matches a part of the name, with `^` and `$` as anchors, and is no regular expression; `Trust` and `Confidential` are additional fields',
  'POST /containers/create':
    'see the fields below; `Confidential`, `Egress` and `EgressSecrets` are additional fields',
  'GET /containers/{id}/json':
    '`Trust`, `TrustAtCreate`, `Machine`, `Confidential`, `Egress` and `EgressSecrets` are additional fields; in `bridge` each box has the same address',
  'POST /containers/{id}/attach': 'a client that does not upgrade sends its input in the body',
  'POST /containers/{id}/exec': 'see the fields below',
  'GET /containers/{id}/archive':
    'a path that cannot be followed is a 400, where dockerd answers 500; a confidential box is refused',
  'PUT /containers/{id}/archive':
    'device nodes, and entries that lead out of the directory through a link, are refused; a confidential box is refused',
  'POST /commit':
    'the image’s configuration has what an image has of `Config`; a file whose name begins with `.wh.`, and a confidential box, are refused',
  'GET /containers/{id}/stats':
    'the guest counts, for the box alone; the disks are those of the microVM',
  'POST /containers/{id}/update': 'see the fields below',
  'POST /images/create': 'an archive is sent in the body; `fromSrc` with a URL is refused',
  'POST /images/{name}/push':
    '`signatures` pushes the signatures and attestations of the image as well',
  'GET /images/{name}/json': '`Origins` is an additional field',
  'GET /networks':
    'each box has a network `bridge` of its own; there is no network `host`; the filter `name` is as for boxes',
  'GET /networks/{id}': 'there are no services, which `verbose` would show',
  'POST /networks/create':
    'the driver is `bridge`, with one IPv4 subnet; see [networks](boxes/networks.md) for its options',
  'GET /volumes': 'the filter `name` is as for boxes',
  'POST /volumes/create': 'the driver is `local`; its options are those of disks and `o=bind`',
  'POST /build':
    'names, `pull` and the result are the server’s, all else the builder’s; `outputs` is refused; 501 where there is no [builder](boxes/build.md)',
  'POST /build/cancel': 'passed to the builder; 501 where there is none',
  'POST /build/prune': 'passed to the builder; where there is none, nothing is pruned',
  'POST /grpc':
    'passed to the builder; where there is none, each build is refused with a message, so that `docker build` prints one line and starts no builder of its own',
  'POST /session': 'passed to the builder; where there is none, the server requests no file',
  'GET /plugins': 'there are none',
};

const EXEC_NOTES: Readonly<Record<string, string>> = {
  Detach: 'as in Docker, the start says whether',
  Privileged:
    'all capabilities; the processes of a confidential box have what its launch spec says',
};

const ABOUT = `# The Docker Engine API

The control server serves Docker's API on the unix socket of its \`A3S_HOME\`: \`docker\`, dockerode
and testcontainers work with it (\`DOCKER_HOST=unix://…\`; \`a3s-box info\` prints the socket's path).
\`GET /a3s/v1/openapi.json\` describes every route with its schemas. An answer that differs from its
schema does not compile, and each answer that a test receives is compared with it. This page is
generated from the same tables; a test fails where it is out of date.

- **Versions**: \`/v${MIN_API_VERSION}/…\` to \`/v${API_VERSION}/…\`; without a version, the newest. What Docker added between
  1.43 and 1.45 is in the answers of all versions. Since 1.42, the content type of \`logs\` and
  \`attach\` says whether the streams are multiplexed. An unknown version is refused with 400.
- **Errors** are Docker's \`{"message": …}\` with a stable \`code\` and, where there is a next step, a
  \`remedy\`.
- **No request is ignored.** Each field in the tables below *works*, works and *differs* as its row
  says, is *ignored* as Docker ignores it, or is *refused* by name, with the reason, before anything
  changes. A refused field may be
  present with a value that requests nothing, as clients send it.
- **JSON is read as Go reads it**: names of fields match in any case, keys of maps do not, and null
  means that the field is absent.
- **Unknown fields**, those in no table below, are accepted when their value is zero (null, false, 0,
  or an empty string, list or object), since newer clients send all fields that they know. The
  \`Warnings\` of create and update name them. With any other value they are refused.
- **Unknown query parameters** are ignored, as Docker does. Unknown filters are refused.
`;

const USER_ENDPOINT_ROWS: readonly (readonly string[])[] = [
  ['`Aliases`', 'works', ''],
  [
    '`Links`',
    'differs',
    'names are in `/etc/hosts` of the box too, while those that they lead to run',
  ],
  [
    '`IPAMConfig`',
    'differs',
    '`IPv4Address` and `IPv6Address`; `LinkLocalIPs` of 169.254.0.0/16, which are on the card of the box, and which no other box reaches',
  ],
  ['`MacAddress`', 'works', '`MacAddress` beside `Image` means the same'],
  ['`GwPriority`', 'works', 'in every version of the API'],
  [
    '`DriverOpts`',
    'differs',
    'shown, and read by nothing; those of `com.docker.network.` are refused',
  ],
];

/** The whole page. */
export function dockerApiDocument(): string {
  const docker = ROUTES.filter(({ path }) => !path.startsWith('/a3s/'));
  const ours = ROUTES.filter(({ path }) => path.startsWith('/a3s/'));
  return [
    ABOUT,
    '## Routes',
    routes(docker),
    'Routes that Docker does not have are under `/a3s/v1`:',
    table(
      ['route', 'does'],
      ours.map((route) => [`\`${nameOf(route)}\``, route.description.summary]),
    ),
    '## Fields of `POST /containers/create`',
    fields(CONFIG_FIELDS, {}),
    '### `HostConfig`',
    fields(HOST_CONFIG_FIELDS, UNSUPPORTED_HOST_CONFIG),
    '### `NetworkingConfig.EndpointsConfig`',
    '`none` alone, or `default`, also called `bridge`, and any number of user-defined networks. `MacAddress` of `default` works; it is `MacAddress` beside `Image`. `DriverOpts`, and `LinkLocalIPs` of `IPAMConfig`, are as in a user-defined network. Fields of `default` and `none`:',
    fields(ENDPOINT_FIELDS, UNSUPPORTED_ENDPOINT),
    'Fields of a user-defined network; all others are refused or ignored there as well:',
    table(['field', '', ''], USER_ENDPOINT_ROWS),
    '## Fields of `POST /containers/{id}/exec`',
    table(
      ['field', '', ''],
      [...EXEC_KEYS.map((name) => [`\`${name}\``, 'works', EXEC_NOTES[name] ?? ''])],
    ),
    '## Fields of `POST /containers/{id}/update`',
    'A zero value changes nothing. More memory than a running microVM was started with, or more processors than it has, is refused until the box is stopped. What is in the launch spec of a confidential box never changes.',
    table(
      ['field', '', ''],
      [
        ...fieldRows(updatedFields(), UNSUPPORTED_HOST_CONFIG),
        ...[...NOT_UPDATED].map(([name, why]) => [`\`${name}\``, 'refused', why]),
      ],
    ),
    '',
  ]
    .join('\n\n')
    .replace(/\n{3,}/g, '\n\n');
}

function nameOf({ method, path }: RouteEntry): string {
  return `${method} ${openApiPath(path)}`;
}

function routes(served: readonly RouteEntry[]): string {
  const rows = served.map((route) => {
    const { summary } = route.description;
    const note = ROUTE_NOTES[nameOf(route)] ?? '';
    const [, status] = /^Refused with (\d+)/.exec(summary) ?? [];
    const refused = status !== undefined;
    const kind = refused ? `refused, ${status}` : note === '' ? 'works' : 'differs';
    return [
      `\`${nameOf(route)}\``,
      kind,
      refused ? '' : summary,
      refused ? summary.replace(/^.*: /, '') : note,
    ];
  });
  return table(['route', '', 'does', 'but'], rows);
}

function fields(list: Readonly<Record<string, Field>>, absent: UnsupportedOptions): string {
  return table(['field', '', ''], fieldRows(list, absent));
}

function fieldRows(list: Readonly<Record<string, Field>>, absent: UnsupportedOptions): string[][] {
  return Object.entries(list).map(([name, field]) => {
    const why = absent[name]?.why ?? '';
    if (field.kind === 'refused') return [`\`${name}\``, 'refused', why];
    if (field.kind === 'discarded') {
      return [`\`${name}\``, 'differs', `discarded with Docker’s warning: ${why}`];
    }
    if (field.kind === 'ignored') return [`\`${name}\``, 'ignored', why];
    return [`\`${name}\``, field.kind, field.note ?? ''];
  });
}

/** They mean the same as at create. */
function updatedFields(): Record<string, Field> {
  const updated = new Set([...UPDATE_KEYS, ...Object.keys(DISCARDED_LIMITS)]);
  return Object.fromEntries(
    Object.entries(HOST_CONFIG_FIELDS).filter(([name]) => updated.has(name)),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
