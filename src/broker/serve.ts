/**
 * A broker: its parts, put together, and its listeners.
 *
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import type { Evidence } from '@a3s-box/attestation';
import { EndorsementStore, Endorsements, KdsClient } from '@a3s-box/attestation/endorsements';
import { parseSimulatedRoots } from '@a3s-box/attestation/simulated';
import { closeAll } from '../async/close-all.ts';
import { A3sError } from '../errors.ts';
import { adminListener } from './admin/admin-app.ts';
import { AuditLog } from './audit/audit-log.ts';
import type { BrokerConfig, TlsFiles } from './config/broker-yaml.ts';
import { Administration } from './core/administration.ts';
import { Broker } from './core/broker.ts';
import { declare } from './core/declare.ts';
import { ADMIN_CONNECTIONS, Listener } from './http/listener.ts';
import { Metrics } from './http/metrics.ts';
import { observabilityListener } from './http/observability.ts';
import { RateLimiter } from './http/rate-limit.ts';
import { Guests } from './kbs/guests.ts';
import { kbsListener } from './kbs/kbs-app.ts';
import { MemorySessions } from './kbs/memory-sessions.ts';
import { openRatlsListener } from './kbs/ratls-listener.ts';
import { Results } from './kbs/results.ts';
import { SESSION_LIMITS } from './kbs/sessions.ts';
import { StoredSessions } from './kbs/stored-sessions.ts';
import { openRootKeys } from './keys/open-root-keys.ts';
import { openSigningKeyFile } from './keys/signing-key.ts';
import { type EvidenceTrust, type Tee, verifyEvidence } from './release/evidence.ts';
import { openStore } from './store/open-store.ts';
import { Rotation } from './vault/rotation.ts';
import { Vault } from './vault/vault.ts';

export interface ServeOptions {
  readonly now?: () => Date;
  /** What is for the log of the operator: no error of a client. */
  readonly onError: (error: unknown) => void;
}

export interface RunningBroker {
  readonly ports: {
    readonly guests: number;
    readonly admin: number;
    readonly ratls?: number;
    readonly metrics?: number;
  };
  /** Ends everything in order; what was acknowledged is on the disk before that already. */
  close(): Promise<void>;
}

/** @throws A3sError for whatever keeps it from serving; nothing is left open then */
export async function serveBroker(
  config: BrokerConfig,
  { now = () => new Date(), onError }: ServeOptions,
): Promise<RunningBroker> {
  const trust = await openTrust(config);
  const store = await openStore(config.store);
  const closers: (() => Promise<unknown>)[] = [() => store.close()];
  const close = (): Promise<void> => closeAll(closers.splice(0));
  try {
    const keys = await openRootKeys(config.rootKey);
    const key = await openSigningKeyFile(config.auditKey);
    const { checkpointEntries, auditHead: head } = config;
    const audit = await AuditLog.open(store, { key, checkpointEntries, now, head, onError });
    const vault = await Vault.open(store, keys, async (transaction, epoch) => {
      const event = { actor: 'broker', action: 'root-key-rotated', details: { epoch } };
      await audit.append(transaction, event);
    });
    const parts = { store, vault, audit, now };
    const broker = new Broker(parts);
    // Signs the end of the log, and names it in the head file outside of the store. A log that is
    // cut off while the broker is stopped does not open after that.
    closers.push(() => audit.close());
    closers.push(() => broker.flush());
    await declare(parts, config.tenants);

    const rotation = new Rotation(store, vault, keys, audit);
    const stop = new AbortController();
    const complete = (): Promise<void> => rotation.complete(stop.signal).catch(onError);
    let rewrapping = complete();
    closers.push(async () => {
      stop.abort();
      await rewrapping;
    });

    const { resultsKey } = config;
    const results =
      resultsKey === undefined ? undefined : new Results(await openSigningKeyFile(resultsKey));
    const clock = (): number => performance.now();
    const limits = SESSION_LIMITS;
    const verify = (tee: Tee, evidence: Evidence) => verifyEvidence(tee, evidence, trust, now());
    const sessions =
      typeof config.store === 'string'
        ? new MemorySessions(limits, clock)
        : await StoredSessions.open({ store, vault, limits, now, verify });
    const metrics = new Metrics();
    const limiter = () => new RateLimiter(config.rateLimits, clock);
    const { listen, tls, ratls: attested } = config.guests;
    const files = tls && (await tlsOf(tls));
    const kbs = {
      guests: new Guests(broker, sessions, trust, results),
      ...{ limiter: limiter(), metrics, now, onError },
      isTenant: (name: string) => config.tenants.has(name),
      secure: tls !== undefined,
      sessionMs: SESSION_LIMITS.sessionMs,
    };
    const guests = await Listener.open({ address: listen, tls: files, handle: kbsListener(kbs) });
    closers.push(() => guests.close());
    const ratls =
      attested &&
      files &&
      (await openRatlsListener({
        ...{ address: attested.listen, socket: attested.socket },
        ...{ certificate: files.cert, kbs },
      }));
    closers.push(async () => ratls?.close());
    const admin = await Listener.open({
      address: config.admin.listen,
      limits: ADMIN_CONNECTIONS,
      // Certificates are their own: the key counts, not who signed it.
      tls: {
        ...(await tlsOf(config.admin.tls)),
        requestCert: true,
        rejectUnauthorized: false,
      },
      handle: adminListener({
        ...{ config, broker, rotation, sessions, metrics, now, onError },
        administration: new Administration(parts, config.quotas),
        limiter: limiter(),
        onRotation: () => {
          rewrapping = complete();
        },
      }),
    });
    closers.push(() => admin.close());
    const ports = {
      ...{ guests: guests.port, admin: admin.port },
      ...(ratls && { ratls: ratls.port }),
    };
    if (config.metrics === undefined) return { ports, close };
    const observed = await Listener.open({
      address: config.metrics.listen,
      handle: observabilityListener({ metrics, sessions, store, vault, onError }),
    });
    closers.push(() => observed.close());
    return { ports: { ...ports, metrics: observed.port }, close };
  } catch (error) {
    await close().catch(onError);
    throw error;
  }
}

async function openTrust({ endorsements, simulated }: BrokerConfig): Promise<EvidenceTrust> {
  const store = new EndorsementStore({ directory: endorsements.store });
  const kds = endorsements.fetch ? new KdsClient() : undefined;
  const trust = { endorsements: new Endorsements({ store, kds }) };
  if (simulated === undefined) return trust;
  const roots = parseSimulatedRoots(await readConfigured(simulated.roots));
  if (simulated.crl === undefined) return { ...trust, simulated: { roots } };
  const crl = await readConfigured(simulated.crl);
  const { mtime } = await stat(simulated.crl);
  return { ...trust, simulated: { roots, crl, crlObtainedAt: mtime } };
}

async function tlsOf({ cert, key }: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readConfigured(cert), key: await readConfigured(key) };
}

function readConfigured(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: Error) => {
    throw new A3sError('broker-config', `Cannot read ${path}: ${cause.message}`, { cause });
  });
}
