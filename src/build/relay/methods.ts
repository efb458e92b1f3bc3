/**
 * The calls that clients of BuildKit make.
 *
 * A path passes in this spelling alone: the builder decodes `%6f`, cuts off `?` and takes whole
 * URLs, and would find a method in what nothing here has looked into. `Control/Session` opens a
 * session inside of a call, past `POST /session`.
 *
 * @module
 */

const CONTROL = '/moby.buildkit.v1.Control/';
const BRIDGE = '/moby.buildkit.v1.frontend.LLBBridge/';
/** Read only, in the builder. Clients read the attestations of a result from it. */
const CONTENT = '/containerd.services.content.v1.Content/';

export const SOLVE = `${CONTROL}Solve`;
export const STATUS = `${CONTROL}Status`;
export const LIST_WORKERS = `${CONTROL}ListWorkers`;
export const FRONTEND_SOLVE = `${BRIDGE}Solve`;

/** Calls that pass as they are. */
export const PASSED: ReadonlySet<string> = new Set([
  ...[...['DiskUsage', 'Info', 'ListenBuildHistory', 'Prune', 'UpdateBuildHistory']].map(
    (name) => CONTROL + name,
  ),
  LIST_WORKERS,
  ...[
    ...['Evaluate', 'Inputs', 'Ping', 'ReadDir', 'ReadFile', 'ResolveImageConfig'],
    ...['ResolveSourceMeta', 'Return', 'StatFile', 'Warn'],
  ].map((name) => BRIDGE + name),
  ...['Info', 'Read'].map((name) => CONTENT + name),
  '/grpc.health.v1.Health/Check',
  '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
]);
