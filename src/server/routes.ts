/**
 * The whole API: method, path, permission, input, handler. It includes streams that leave HTTP.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../boxes/runtime.ts';
import { ATTACHMENT_ROUTES } from './a3s/attachments.ts';
import { BUILDERS_ROUTES, type BuildersHost } from './a3s/builders.ts';
import { CONFIDENTIAL_ROUTES } from './a3s/confidential.ts';
import { EGRESS_ROUTES } from './a3s/egress.ts';
import { HOST_ROUTES } from './a3s/host.ts';
import { IMAGE_POLICY_ROUTES } from './a3s/image-policies.ts';
import { POOL_ROUTES } from './a3s/pools.ts';
import { SERVER_ROUTES, type ServerHost } from './a3s/server.ts';
import { SNAPSHOT_ROUTES } from './a3s/snapshots.ts';
import { TEMPLATE_ROUTES } from './a3s/templates.ts';
import { TRUST_ROUTES } from './a3s/trust.ts';
import { CREATE_ROUTES } from './docker/containers/create/create.ts';
import { ARCHIVE_ROUTES } from './docker/containers/files/archive.ts';
import { CHANGES_ROUTES } from './docker/containers/files/changes.ts';
import { COMMIT_ROUTES } from './docker/containers/files/commit.ts';
import { EXPORT_ROUTES } from './docker/containers/files/export.ts';
import { INSPECT_ROUTES } from './docker/containers/inspect/inspect.ts';
import { LIST_ROUTES } from './docker/containers/inspect/list.ts';
import { STATS_ROUTES } from './docker/containers/inspect/stats.ts';
import { ATTACH_ROUTES } from './docker/containers/output/attach.ts';
import { LOGS_ROUTES } from './docker/containers/output/logs.ts';
import { RESIZE_ROUTES } from './docker/containers/output/resize.ts';
import { EXEC_ROUTES } from './docker/containers/processes/exec.ts';
import { TOP_ROUTES } from './docker/containers/processes/top.ts';
import { CONTAINER_PRUNE_ROUTES } from './docker/containers/prune.ts';
import { REMOVE_ROUTES } from './docker/containers/remove.ts';
import { RENAME_ROUTES } from './docker/containers/rename.ts';
import { KILL_ROUTES } from './docker/containers/run/kill.ts';
import { PAUSE_ROUTES } from './docker/containers/run/pause.ts';
import { RESTART_ROUTES } from './docker/containers/run/restart.ts';
import { START_ROUTES } from './docker/containers/run/start.ts';
import { STOP_ROUTES } from './docker/containers/run/stop.ts';
import { WAIT_ROUTES } from './docker/containers/run/wait.ts';
import { UPDATE_ROUTES } from './docker/containers/update.ts';
import { DISTRIBUTION_ROUTES } from './docker/images/distribution.ts';
import { HISTORY_ROUTES } from './docker/images/history.ts';
import { IMAGE_ROUTES } from './docker/images/images.ts';
import { IMAGE_PRUNE_ROUTES } from './docker/images/prune.ts';
import { PULL_ROUTES } from './docker/images/pull.ts';
import { PUSH_ROUTES } from './docker/images/push.ts';
import { SAVE_ROUTES } from './docker/images/save.ts';
import { TAG_ROUTES } from './docker/images/tag.ts';
import { NETWORK_ROUTES } from './docker/networks/networks.ts';
import { noBody, query } from './docker/query.ts';
import { AUTH_ROUTES } from './docker/system/auth.ts';
import { BUILDER_ROUTES } from './docker/system/builder.ts';
import type { BuilderHost } from './docker/system/builder-host.ts';
import { DISK_USAGE_ROUTES } from './docker/system/disk-usage.ts';
import { EVENT_ROUTES } from './docker/system/events.ts';
import { SWARM_ROUTES } from './docker/system/swarm.ts';
import { SYSTEM_ROUTES } from './docker/system/system.ts';
import { UNSUPPORTED_ROUTES } from './docker/unsupported-routes.ts';
import { VOLUME_ROUTES } from './docker/volumes/volumes.ts';
import { json } from './http/answer.ts';
import { openApiDocument } from './http/openapi.ts';
import { type Route, route } from './http/route.ts';

/** What all routes together need of the server. */
export type ApiHost = Runtime & ServerHost & BuildersHost & BuilderHost;

const SERVED: readonly Route<ApiHost>[] = [
  ...SYSTEM_ROUTES,
  ...EVENT_ROUTES,
  ...NETWORK_ROUTES,
  ...VOLUME_ROUTES,
  ...AUTH_ROUTES,
  ...LIST_ROUTES,
  ...CREATE_ROUTES,
  ...INSPECT_ROUTES,
  ...START_ROUTES,
  ...STOP_ROUTES,
  ...KILL_ROUTES,
  ...RESIZE_ROUTES,
  ...WAIT_ROUTES,
  ...REMOVE_ROUTES,
  ...RESTART_ROUTES,
  ...PAUSE_ROUTES,
  ...RENAME_ROUTES,
  ...STATS_ROUTES,
  ...TOP_ROUTES,
  ...UPDATE_ROUTES,
  ...LOGS_ROUTES,
  ...ATTACH_ROUTES,
  ...EXEC_ROUTES,
  ...ARCHIVE_ROUTES,
  ...CHANGES_ROUTES,
  ...EXPORT_ROUTES,
  ...COMMIT_ROUTES,
  ...BUILDER_ROUTES,
  ...UNSUPPORTED_ROUTES,
  ...SWARM_ROUTES,
  ...PULL_ROUTES,
  ...PUSH_ROUTES,
  ...DISTRIBUTION_ROUTES,
  ...SAVE_ROUTES,
  ...HISTORY_ROUTES,
  ...TAG_ROUTES,
  ...CONTAINER_PRUNE_ROUTES,
  ...IMAGE_PRUNE_ROUTES,
  ...DISK_USAGE_ROUTES,
  ...IMAGE_ROUTES,
  ...IMAGE_POLICY_ROUTES,
  ...POOL_ROUTES,
  ...BUILDERS_ROUTES,
  ...SNAPSHOT_ROUTES,
  ...TRUST_ROUTES,
  ...ATTACHMENT_ROUTES,
  ...TEMPLATE_ROUTES,
  ...HOST_ROUTES,
  ...CONFIDENTIAL_ROUTES,
  ...EGRESS_ROUTES,
  ...SERVER_ROUTES,
];

const OPENAPI_ROUTE = route('GET', '/a3s/v1/openapi.json', {
  access: 'owner',
  query: query({}),
  body: noBody,
  summary: 'All of this, described',
  answers: { 200: z.record(z.string(), z.unknown()) },
  handler: () => json(openApiDocument(ROUTES)),
});

export const ROUTES: readonly Route<ApiHost>[] = [...SERVED, OPENAPI_ROUTE];
