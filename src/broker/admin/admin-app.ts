/**
 * The API of administrators: a table of routes, each with who may call it.
 *
 * @module
 */
import type { RequestListener } from 'node:http';
import { clientOf } from '@a3s-box/ratls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { A3sError, ERRORS } from '../../errors.ts';
import { exportLog } from '../audit/audit-log.ts';
import type { Checkpoint } from '../audit/checkpoint.ts';
import type { BrokerConfig } from '../config/broker-yaml.ts';
import { type Administration, type DocumentKind, MAX_SECRET } from '../core/administration.ts';
import type { Broker } from '../core/broker.ts';
import { readBody, readJsonBody } from '../http/body.ts';
import type { Metrics } from '../http/metrics.ts';
import type { RateLimiter } from '../http/rate-limit.ts';
import type { Sessions } from '../kbs/sessions.ts';
import type { Rotation } from '../vault/rotation.ts';
import { type Access, authorize, pinOf } from './access.ts';

export interface AdminOptions {
  readonly config: Pick<BrokerConfig, 'operators' | 'tenants'>;
  readonly broker: Broker;
  readonly administration: Administration;
  readonly rotation: Rotation;
  readonly sessions: Sessions;
  readonly limiter: RateLimiter;
  readonly metrics: Metrics;
  readonly now: () => Date;
  /** Called once a rotation has begun. */
  readonly onRotation: () => void;
  readonly onError: (error: unknown) => void;
}

type Env = { Bindings: HttpBindings };

interface Call {
  readonly c: Context<Env>;
  readonly actor: string;
  readonly tenant: string;
  readonly param: (name: string) => string;
}

interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly access: Access;
  readonly handle: (call: Call, options: AdminOptions) => Promise<Response>;
}

const MAX_DOCUMENT = 1024 * 1024;
const MAX_COUNTER = 1024;

const CHANGES: Access = { of: 'tenant', roles: ['admin'] };
const WRITES: Access = { of: 'tenant', roles: ['admin', 'writer'] };
const READS: Access = { of: 'tenant', roles: ['admin', 'writer', 'auditor'] };
const AUDITS: Access = { of: 'tenant', roles: ['admin', 'auditor'] };
const OPERATES: Access = { of: 'broker' };

const SECRET = '/secrets/:repository/:type/:tag';
const VOLUME_KEY = '/volume-keys/:repository/:type/:tag';
const COUNTER = '/counters/:repository/:type/:tag';
const pathOf = ({ param }: Call) => `${param('repository')}/${param('type')}/${param('tag')}`;

const TENANT_ROUTES: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/secrets', access: READS },
    handle: async ({ c, tenant }, { administration }) =>
      c.json({ secrets: await administration.list(tenant, 'secret') }),
  },
  {
    ...{ method: 'PUT', path: SECRET, access: WRITES },
    handle: async (call, { administration }) => {
      const content = await readBody(call.c.req.raw, MAX_SECRET);
      const version = await administration.putSecret(call, pathOf(call), content);
      content.fill(0);
      return call.c.json({ version });
    },
  },
  {
    ...{ method: 'POST', path: `${SECRET}/rotate`, access: WRITES },
    handle: async (call, { administration }) => {
      const bytes = Number(call.c.req.query('bytes') ?? 32);
      const version = await administration.rotateSecret(call, pathOf(call), bytes);
      return call.c.json({ version });
    },
  },
  {
    ...{ method: 'DELETE', path: SECRET, access: WRITES },
    handle: async (call, { administration }) => {
      await administration.remove(call, 'secret', pathOf(call));
      return call.c.body(null, 204);
    },
  },
  {
    ...{ method: 'GET', path: '/volume-keys', access: READS },
    handle: async ({ c, tenant }, { administration }) =>
      c.json({ 'volume-keys': await administration.list(tenant, 'volume-key') }),
  },
  {
    ...{ method: 'POST', path: VOLUME_KEY, access: WRITES },
    handle: async (call, { administration }) => {
      await administration.createVolumeKey(call, pathOf(call));
      return call.c.body(null, 204);
    },
  },
  {
    ...{ method: 'DELETE', path: VOLUME_KEY, access: CHANGES },
    handle: async (call, { administration }) => {
      const discard = call.c.req.query('discard') === 'true';
      await administration.removeVolumeKey(call, pathOf(call), discard);
      return call.c.body(null, 204);
    },
  },
  ...documentRoutes('policy', 'policies'),
  ...documentRoutes('grant', 'grants'),
  {
    ...{ method: 'GET', path: '/counters', access: READS },
    handle: async ({ c, tenant }, { administration }) =>
      c.json({ counters: await administration.counters(tenant) }),
  },
  {
    ...{ method: 'PUT', path: COUNTER, access: CHANGES },
    handle: async (call, { administration }) => {
      const document = await readJsonBody(call.c.req.raw, MAX_COUNTER);
      const version = await administration.setCounter(call, pathOf(call), document);
      return call.c.json({ version });
    },
  },
  {
    ...{ method: 'DELETE', path: COUNTER, access: CHANGES },
    handle: async (call, { administration }) => {
      await administration.remove(call, 'counter', pathOf(call));
      return call.c.body(null, 204);
    },
  },
  {
    ...{ method: 'DELETE', path: '/sessions', access: CHANGES },
    handle: async ({ c, actor, tenant }, { broker, sessions }) => {
      const count = await sessions.end(tenant);
      const { audit, store } = broker.parts;
      await store.transaction((transaction) =>
        audit.append(transaction, { tenant, actor, action: 'sessions-ended', details: { count } }),
      );
      return c.json({ ended: count });
    },
  },
  {
    ...{ method: 'GET', path: '/audit', access: AUDITS },
    handle: async ({ c, tenant }, { administration }) => {
      const from = Number(c.req.query('from') ?? 1);
      if (!Number.isSafeInteger(from) || from < 1) {
        throw new A3sError('invalid-argument', 'from is the number of an entry');
      }
      return c.json(await administration.entries(tenant, from));
    },
  },
];

const BROKER_ROUTES: readonly Route[] = [
  {
    ...{ method: 'POST', path: '/v1/root-key/rotate', access: OPERATES },
    handle: async ({ c, actor }, { rotation, onRotation }) => {
      const epoch = await rotation.begin(actor);
      onRotation();
      return c.json({ epoch });
    },
  },
  {
    ...{ method: 'GET', path: '/v1/audit/checkpoint', access: OPERATES },
    handle: async ({ c, actor }, { broker }) =>
      c.json(await recordAndSign(broker, actor, 'audit-checkpoint-signed')),
  },
  {
    ...{ method: 'GET', path: '/v1/audit/export', access: OPERATES },
    handle: async ({ actor }, { broker }) => {
      // The end of the export is signed, so that an auditor can tell whether it was cut off.
      await recordAndSign(broker, actor, 'audit-exported');
      const lines = exportLog(broker.parts.store);
      const body = new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          const { done, value } = await lines.next();
          if (done === true) controller.close();
          else controller.enqueue(Buffer.from(value));
        },
        cancel: async () => void (await lines.return(undefined)),
      });
      return new Response(body, { headers: { 'content-type': 'application/jsonl' } });
    },
  },
];

/** The checkpoint covers the entry that tells of it. */
function recordAndSign(
  { parts: { audit, store } }: Broker,
  actor: string,
  action: string,
): Promise<Checkpoint | undefined> {
  return store.transaction(async (transaction) => {
    await audit.append(transaction, { actor, action });
    return audit.checkpoint(transaction);
  });
}

function documentRoutes(kind: DocumentKind, plural: string): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: `/${plural}`, access: READS },
      handle: async ({ c, tenant }, { administration }) =>
        c.json({ [plural]: await administration.documents(tenant, kind) }),
    },
    {
      ...{ method: 'PUT', path: `/${plural}/:name`, access: CHANGES },
      handle: async (call, { administration }) => {
        const document = await readJsonBody(call.c.req.raw, MAX_DOCUMENT);
        const version = await administration.putDocument(call, kind, call.param('name'), document);
        return call.c.json({ version });
      },
    },
    {
      ...{ method: 'DELETE', path: `/${plural}/:name`, access: CHANGES },
      handle: async (call, { administration }) => {
        await administration.remove(call, kind, call.param('name'));
        return call.c.body(null, 204);
      },
    },
    {
      ...{ method: 'PUT', path: `/${plural}/:name/revoked`, access: CHANGES },
      handle: async (call, { administration }) => {
        await administration.revoke(call, kind, call.param('name'));
        return call.c.body(null, 204);
      },
    },
    {
      ...{ method: 'DELETE', path: `/${plural}/:name/revoked`, access: CHANGES },
      handle: async (call, { administration }) => {
        await administration.lift(call, kind, call.param('name'));
        return call.c.body(null, 204);
      },
    },
  ];
}

export function adminListener(options: AdminOptions): RequestListener {
  const { limiter, metrics } = options;
  const app = adminApp(options);
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (incoming, outgoing) => {
    outgoing.once('finish', () =>
      metrics.count('a3s_broker_admin_answers_total', { status: String(outgoing.statusCode) }),
    );
    if (limiter.take(clientOf(incoming.socket.remoteAddress))) {
      void listener(incoming, outgoing);
    } else {
      outgoing.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' });
      outgoing.end(JSON.stringify(documentOf(new A3sError('kbs-too-often', 'Too many requests'))));
    }
  };
}

function adminApp(options: AdminOptions): Hono<Env> {
  const app = new Hono<Env>();
  for (const route of BROKER_ROUTES) add(app, route.path, route, options);
  for (const route of TENANT_ROUTES) {
    add(app, `/v1/tenants/:tenant${route.path}`, route, options);
  }
  app.notFound((c) => answer(c, new A3sError('no-such-route', 'There is no such route')));
  return app;
}

function add(app: Hono<Env>, path: string, route: Route, options: AdminOptions): void {
  app.on(route.method, path, async (c) => {
    const param = (name: string) => (c.req.param() as Record<string, string>)[name] ?? '';
    const tenant = param('tenant');
    let actor: string | undefined;
    try {
      const pin = pinOf(c.env.incoming, options.now());
      actor = authorize(options.config, pin, route.access, tenant);
      return await route.handle({ c, actor, tenant, param }, options);
    } catch (error) {
      if (!(error instanceof A3sError) || ERRORS[error.code].status >= 500) options.onError(error);
      await recordRefusal(c, route, { actor, tenant }, error, options);
      return answer(c, error);
    }
  });
}

/** Records who is not let in, or not to this, and which change of an administrator was refused. */
async function recordRefusal(
  c: Context<Env>,
  { method, path }: Route,
  { actor, tenant }: { readonly actor: string | undefined; readonly tenant: string },
  error: unknown,
  { broker }: AdminOptions,
): Promise<void> {
  if (!(error instanceof A3sError)) return;
  if (actor !== undefined && method === 'GET') return;
  await broker.recordRefusal({
    ...(tenant === '' ? {} : { tenant }),
    actor: actor ?? `client:${clientOf(c.env.incoming.socket.remoteAddress)}`,
    action: 'admin-refused',
    object: `${method} ${path}`,
    refusal: error.code,
  });
}

function answer(c: Context, error: unknown): Response {
  const known = error instanceof A3sError ? error : new A3sError('internal', 'Something failed');
  return c.json(documentOf(known), ERRORS[known.code].status as 400);
}

function documentOf({ code, message, remedy }: A3sError): Record<string, string> {
  return { code, message, remedy: remedy ?? ERRORS[code].remedy };
}
