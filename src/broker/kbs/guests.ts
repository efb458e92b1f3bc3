/**
 * The three requests of KBS protocol 0.4: challenge, attestation, resource.
 *
 * @module
 */
import { AttestationError, type Evidence } from '@a3s-box/attestation';
import { evidenceFromCocoJson } from '@a3s-box/attestation/envelopes';
import { A3sError } from '../../errors.ts';
import type { Broker, CounterAnswer, GuestFacts } from '../core/broker.ts';
import { type Counter, parseCounterStep } from '../record/counter.ts';
import { isResourcePath } from '../record/resource-path.ts';
import type { Proof } from '../release/decide.ts';
import { type EvidenceTrust, launchOf, verifyEvidence } from '../release/evidence.ts';
import { encryptResource, type Jwe, publicKeyOf } from './jwe.ts';
import {
  type AttestRequest,
  chooseHash,
  hostDataOf,
  isSame,
  parseAttest,
  parseAuth,
  reportDataOf,
} from './protocol.ts';
import { parseResultRequest, type Results } from './results.ts';
import type { AttestedSession, ChallengedSession, Sessions } from './sessions.ts';

/** Where a request came from, and which tenant it is for. */
export interface Caller {
  readonly tenant: string;
  readonly client: string;
}

export interface Challenge {
  readonly id: string;
  readonly nonce: string;
  readonly algorithm: string;
}

const COUNTER_REFUSALS = {
  denied: 'kbs-denied',
  missing: 'kbs-no-resource',
  conflict: 'kbs-counter',
} as const;

/** The reason why evidence was refused, for the audit log alone. */
class EvidenceRefusal extends Error {
  readonly check: string;

  constructor(check: string) {
    super(check);
    this.check = check;
  }
}

export class Guests {
  readonly #broker: Broker;
  readonly #sessions: Sessions;
  readonly #trust: EvidenceTrust;
  readonly #results: Results | undefined;

  /** @param results undefined: guests get none */
  constructor(broker: Broker, sessions: Sessions, trust: EvidenceTrust, results?: Results) {
    this.#broker = broker;
    this.#sessions = sessions;
    this.#trust = trust;
    this.#results = results;
  }

  /** @throws A3sError `kbs-request`, `kbs-busy` */
  async challenge({ tenant, client }: Caller, body: unknown): Promise<Challenge> {
    const request = parseAuth(body);
    const algorithm = chooseHash(request);
    const { tee } = request;
    const { id, session } = await this.#sessions.challenge({ tenant, client, tee, algorithm });
    return { id, nonce: session.nonce, algorithm };
  }

  /**
   * The attested session, which has a new cookie. The challenge ends, whatever comes of it.
   *
   * @throws A3sError `kbs-request`, `kbs-session`, `kbs-evidence`
   */
  async attest(caller: Caller, cookie: string, body: unknown): Promise<string> {
    const challenged = await this.#sessions.takeChallenged(cookie, caller.tenant);
    if (challenged === undefined) {
      const event = { action: 'attestation-refused', check: 'session' };
      throw await this.#refused({ ...caller, session: 'none' }, 'kbs-session', event);
    }
    const request = parseAttest(body);
    const guest = { ...caller, session: challenged.label };
    const proven = await this.#prove(challenged, request).catch(async (error: unknown) => {
      if (!(error instanceof EvidenceRefusal)) throw error;
      const event = { action: 'attestation-refused', check: error.check };
      throw await this.#refused(guest, 'kbs-evidence', event);
    });
    if (!(await this.#broker.admit(guest, proven.proof))) throw refusal('kbs-evidence');
    const teeKey = request['runtime-data']['tee-pubkey'];
    const { label, tee } = challenged;
    const launch = launchOf(proven.proof.evidence);
    return (await this.#sessions.attest({ ...caller, launch, label, tee, teeKey, ...proven })).id;
  }

  /** Ends the session of a cookie, if there is one. */
  end({ tenant }: Caller, cookie: string): Promise<void> {
    return this.#sessions.endOne(cookie, tenant);
  }

  /** @throws A3sError `kbs-session`, `kbs-denied`, `kbs-no-resource` */
  async resource(caller: Caller, cookie: string, path: string): Promise<Jwe> {
    const session = await this.#attested(caller, cookie, path, 'resource-refused');
    const release = await this.#broker.release(session.guest, session.proof, path);
    if (release.kind === 'denied') throw refusal('kbs-denied');
    if (release.kind === 'missing') throw refusal('kbs-no-resource');
    try {
      const { content, record } = release;
      const kind = record === 'volume-key' ? record : undefined;
      return encryptResource(content, session.teeKey, `${caller.tenant}/${path}`, kind);
    } finally {
      release.content.fill(0);
    }
  }

  /** @throws A3sError `kbs-session`, `kbs-denied`, `kbs-no-resource` */
  async counter(caller: Caller, cookie: string, path: string): Promise<Counter> {
    const { guest, proof } = await this.#attested(caller, cookie, path, 'counter-refused');
    return counterOf(await this.#broker.readCounter(guest, proof, path));
  }

  /** @throws A3sError `kbs-request`, `kbs-session`, `kbs-denied`, `kbs-counter`, `broker-quota` */
  async advance(caller: Caller, cookie: string, path: string, body: unknown): Promise<Counter> {
    const { guest, proof } = await this.#attested(caller, cookie, path, 'counter-refused');
    const step = parseCounterStep(body);
    return counterOf(await this.#broker.advanceCounter(guest, proof, path, step));
  }

  /**
   * An attestation result over a nonce of the guest's.
   *
   * @throws A3sError `kbs-request`, `kbs-session`, `kbs-denied`; `kbs-no-resource` where the broker
   * issues none
   */
  async result(caller: Caller, cookie: string, body: unknown): Promise<string> {
    const { guest, proof } = await this.#inSession(caller, cookie, { action: 'result-refused' });
    if (this.#results === undefined) throw refusal('kbs-no-resource');
    const request = parseResultRequest(body);
    const accepting = await this.#broker.vouch(guest, proof, request.nonce.toString('hex'));
    if (accepting === undefined) throw refusal('kbs-denied');
    return this.#results.issue(proof, accepting, request, this.#broker.parts.now());
  }

  /** The session of a cookie, for a path that is one. */
  async #attested(caller: Caller, cookie: string, path: string, action: string) {
    const found = await this.#inSession(caller, cookie, { action, object: path });
    if (isResourcePath(path)) return found;
    const event = { action, check: 'resource path', object: path };
    throw await this.#refused(found.guest, 'kbs-denied', event);
  }

  async #inSession(
    caller: Caller,
    cookie: string,
    asked: { readonly action: string; readonly object?: string },
  ) {
    const session = await this.#useAttested(caller, cookie, asked);
    if (session !== undefined) return { guest: { ...caller, session: session.label }, ...session };
    const event = { ...asked, check: 'session' };
    throw await this.#refused({ ...caller, session: 'none' }, 'kbs-session', event);
  }

  /** Another broker may have verified the evidence; this one refuses what it does not trust. */
  async #useAttested(
    caller: Caller,
    cookie: string,
    asked: { readonly action: string; readonly object?: string },
  ): Promise<AttestedSession | undefined> {
    try {
      return await this.#sessions.useAttested(cookie, caller.tenant);
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
      const event = { ...asked, check: error.code };
      throw await this.#refused({ ...caller, session: 'none' }, 'kbs-evidence', event);
    }
  }

  async #refused(
    guest: GuestFacts,
    code: 'kbs-session' | 'kbs-evidence' | 'kbs-denied',
    event: { readonly action: string; readonly check: string; readonly object?: string },
  ): Promise<A3sError> {
    await this.#broker.refuse(guest, { ...event, refusal: code });
    return refusal(code);
  }

  /** @throws EvidenceRefusal */
  async #prove(
    challenged: ChallengedSession,
    request: AttestRequest,
  ): Promise<{ readonly evidence: Evidence; readonly proof: Proof }> {
    const { nonce, 'tee-pubkey': teeKey } = request['runtime-data'];
    if (!isSame(nonce, challenged.nonce)) throw new EvidenceRefusal('nonce');
    if (publicKeyOf(teeKey) === undefined) throw new EvidenceRefusal('tee-pubkey');
    const input = request['tee-evidence'].primary_evidence;
    const { evidence, verified } = await this.#verify(challenged, input);
    const reportData = reportDataOf(request, challenged.algorithm);
    const { claims } = verified.report;
    if (claims.reportData !== reportData.toString('hex')) throw new EvidenceRefusal('report-data');
    const initData = request['init-data'];
    if (initData != null && claims.hostData !== hostDataOf(initData.body)) {
      throw new EvidenceRefusal('init-data');
    }
    return { evidence, proof: { evidence: verified, reportData } };
  }

  async #verify({ tee }: ChallengedSession, input: unknown) {
    try {
      const evidence = evidenceFromCocoJson(input);
      const now = this.#broker.parts.now();
      return { evidence, verified: await verifyEvidence(tee, evidence, this.#trust, now) };
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
      throw new EvidenceRefusal(error.code);
    }
  }
}

function counterOf(answer: CounterAnswer): Counter {
  if (answer.kind === 'counter') return answer.counter;
  throw refusal(COUNTER_REFUSALS[answer.kind]);
}

/** All that a guest learns is the code. */
function refusal(code: ConstructorParameters<typeof A3sError>[0]): A3sError {
  return new A3sError(code, code);
}
