/**
 * Makes docs/docker-api.md, from the table of routes and the lists of fields.
 *
 * @module
 */
import { NOT_UPDATED, UPDATE_KEYS } from '../docker/containers/create/parse-update.ts';
import {
  ABSENT_CONFIG,
  ABSENT_ENDPOINT,
  ABSENT_EXEC,
  ABSENT_HOST_CONFIG,
  type AbsentOptions,
} from '../docker/containers/create/unsupported-options.ts';
import { EXEC_KEYS } from '../docker/containers/exec.ts';
import { openApiPath } from '../http/openapi.ts';
import type { Route } from '../http/route.ts';
import { ROUTES } from '../http/routes.ts';
import { API_VERSION, MIN_API_VERSION } from '../version.ts';
import { CONFIG_FIELDS, ENDPOINT_FIELDS, type Field, HOST_CONFIG_FIELDS } from './create-fields.ts';

/** Where a route does less than Docker's, or differs from it. */
export const ROUTE_NOTES: Readonly<Record<string, string>> = {
  'GET /info': 'of control groups it tells what holds in the guest; the host’s hold no box',
  'GET /events': 'the last 256 events are kept; templates, snapshots and pools have events too',
  'GET /system/df': 'sizes are what is allocated on this host',
  'POST /auth': 'nothing is kept: clients send credentials with the calls that need them',
  'GET /containers/json':
    'the filter `name` is a part of the name, which `^` and `$` bind to its ends, and no regular expression otherwise; `Trust` and `Confidential` are beside Docker’s fields',
  'POST /containers/create': 'see the fields below; `Confidential` is beside Docker’s',
  'GET /containers/{id}/json':
    '`Trust`, `TrustAtCreate`, `Machine` and `Confidential` are beside Docker’s fields; each box has the same address, in a network of its own',
  'DELETE /containers/{id}': '`link` is refused',
  'POST /containers/{id}/attach': 'a client that does not upgrade sends its input in the body',
  'POST /containers/{id}/exec': 'see the fields below',
  'GET /containers/{id}/stats':
    'what is counted is what the guest counts, of the box alone; disks are those of the machine',
  'POST /containers/{id}/update': 'see the fields below',
  'POST /images/create': 'an archive comes in the body: `fromSrc` with an address is refused',
  'POST /images/{name}/push': '`signatures` pushes what lies beside the image as well',
  'GET /images/{name}/json': '`Origins` is beside Docker’s fields',
  'GET /networks': '`bridge`, which every box that is in a network has for itself, and `none`',
  'GET /networks/{id}': 'there are `bridge` and `none`',
  'DELETE /networks/{id}': 'those that there are stay',
  'POST /networks/prune': 'there are none that could go',
  'POST /volumes/create': 'the driver is `local`, without options',
  'POST /build/prune': 'there is no build cache',
  'POST /grpc':
    'it has no worker, and refuses every build in words, so that `docker build` says so in one line and starts no builder of its own',
  'POST /session': 'nothing is asked of it',
  'GET /plugins': 'there are none',
};

const ABOUT = `# The Docker Engine API

The control server speaks Docker's API on the unix socket of its \`A3S_HOME\`: \`docker\`, dockerode and testcontainers work against it
(\`DOCKER_HOST=unix://…\`; \`a3s-box info\` names the socket). \`GET /a3s/v1/openapi.json\` describes every route with its schemas, and the server is held to it: an answer that
the document does not describe does not compile, and every answer that a test gets is compared with it. This page is made from the same tables, and a test fails when it is not.

- **Versions.** \`/v${MIN_API_VERSION}/…\` to \`/v${API_VERSION}/…\`, and without a version the newest. Docker changed little between 1.43 and 1.45, and what it added is answered for all of them. Since 1.42
  the type of \`logs\` and \`attach\` says whether streams are multiplexed. An unknown version is refused with 400, in words.
- **Errors** are Docker's \`{"message": …}\`, with \`code\`, which is stable, and where there is a next step \`remedy\`.
- **Nothing that asks for something is ignored.** A field in a table is one of three: it *works*, it works and *differs* in what is said beside it, or it is *refused* by its name, with the reason, before anything changes.
  A refused field may be there with the value that asks for nothing, as clients send it.
- **Documents are read as Go reads them.** The name of a field matches in any case, the keys of maps do not, and null is as if the field were not there.
- **A field that is in no table below** is passed over where its value is zero (null, false, 0, or an empty text, list or object), as clients of later versions send everything that they know:
  it asks for nothing, and the \`Warnings\` of create and update name it. With any other value it is refused, since what it asks for would not happen.
- **Parameters of a query** that a route does not know are passed over, as Docker does. Filters that it does not know are refused.
`;

/** The whole page. */
export function dockerApiDocument(): string {
  const docker = ROUTES.filter(({ path }) => !path.startsWith('/a3s/'));
  const ours = ROUTES.filter(({ path }) => path.startsWith('/a3s/'));
  return [
    ABOUT,
    '## Routes',
    routes(docker),
    'Beside them, under `/a3s/v1`, is what Docker has no word for:',
    table(
      ['route', 'does'],
      ours.map((route) => [`\`${nameOf(route)}\``, route.description.summary]),
    ),
    '## Fields of `POST /containers/create`',
    fields(CONFIG_FIELDS, ABSENT_CONFIG),
    '### `HostConfig`',
    fields(HOST_CONFIG_FIELDS, ABSENT_HOST_CONFIG),
    '### `NetworkingConfig.EndpointsConfig`',
    'The networks are `default`, which is also called `bridge`, and `none`; any other is refused. Of one:',
    fields(ENDPOINT_FIELDS, ABSENT_ENDPOINT),
    '## Fields of `POST /containers/{id}/exec`',
    table(
      ['field', '', ''],
      [
        ...EXEC_KEYS.map((name) => [
          `\`${name}\``,
          'works',
          name === 'Detach' ? 'as in Docker, the start says whether' : '',
        ]),
        ...refusals(ABSENT_EXEC),
      ],
    ),
    '## Fields of `POST /containers/{id}/update`',
    'A value that asks for nothing changes nothing. What a running machine cannot be given, more memory than it was started with or more processors than it has, is refused until the box is stopped; what is in the launch spec of a confidential box never changes.',
    table(
      ['field', '', ''],
      [
        ...fieldRows(updatedFields(), ABSENT_HOST_CONFIG),
        ...[...NOT_UPDATED].map(([name, why]) => [`\`${name}\``, 'refused', why]),
      ],
    ),
    '',
  ]
    .join('\n\n')
    .replace(/\n{3,}/g, '\n\n');
}

function nameOf({ method, path }: Route): string {
  return `${method} ${openApiPath(path)}`;
}

function routes(served: readonly Route[]): string {
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

function fields(list: Readonly<Record<string, Field>>, absent: AbsentOptions): string {
  return table(['field', '', ''], fieldRows(list, absent));
}

function fieldRows(list: Readonly<Record<string, Field>>, absent: AbsentOptions): string[][] {
  return Object.entries(list).map(([name, field]) =>
    field.kind === 'refused'
      ? [`\`${name}\``, 'refused', absent[name]?.why ?? '']
      : [`\`${name}\``, field.kind, field.note ?? ''],
  );
}

/** They mean the same as at create. */
function updatedFields(): Record<string, Field> {
  const updated = new Set(UPDATE_KEYS);
  return Object.fromEntries(
    Object.entries(HOST_CONFIG_FIELDS).filter(([name]) => updated.has(name)),
  );
}

function refusals(absent: AbsentOptions): string[][] {
  return Object.entries(absent).map(([name, { why }]) => [`\`${name}\``, 'refused', why]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
