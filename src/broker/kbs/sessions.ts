/**
 * Sessions of guests: bounded in number, in time, and in what each may ask for.
 *
 * @module
 */
import type { Evidence } from '@a3s-box/attestation';
import type { Proof } from '../release/decide.ts';
import type { Tee } from '../release/evidence.ts';
import type { TeeKey } from './jwe.ts';
import type { HashAlgorithm } from './protocol.ts';

export interface SessionLimits {
  readonly sessions: number;
  readonly sessionsPerClient: number;
  /** How many attested sessions one launched guest has at most; the older ones end. */
  readonly sessionsPerLaunch: number;
  /** How long a nonce is good. */
  readonly nonceMs: number;
  /** How long an attested session is good. */
  readonly sessionMs: number;
  /** How many resources an attested session may ask for. */
  readonly requests: number;
}

export const SESSION_LIMITS: SessionLimits = {
  sessions: 8192,
  sessionsPerClient: 128,
  sessionsPerLaunch: 16,
  nonceMs: 60_000,
  sessionMs: 300_000,
  requests: 256,
};

interface Common {
  /** Its name in the audit log; not the cookie. */
  readonly label: string;
  readonly tenant: string;
  readonly client: string;
  readonly tee: Tee;
}

export interface ChallengedSession extends Common {
  readonly nonce: string;
  readonly algorithm: HashAlgorithm;
}

export interface AttestedSession extends Common {
  /** Of the guest that attested: see `launchOf`. */
  readonly launch: string;
  readonly teeKey: TeeKey;
  /** As the guest has sent it. */
  readonly evidence: Evidence;
  readonly proof: Proof;
}

export interface Opened {
  /** The cookie. */
  readonly id: string;
  readonly session: ChallengedSession;
}

export interface Sessions {
  /**
   * Where there are as many as may be, the oldest challenge that nobody answered ends: of the
   * client, where it has too many. Attested sessions give way to nobody.
   *
   * @throws A3sError `kbs-busy` where all are attested
   */
  challenge(request: Omit<ChallengedSession, 'nonce' | 'label'>): Promise<Opened>;
  /**
   * The session of a cookie that was challenged; it ends with this call, so its nonce is used once,
   * whatever follows.
   */
  takeChallenged(id: string, tenant: string): Promise<ChallengedSession | undefined>;
  /**
   * Goes on with a session that was taken, under a new cookie and the same label. Where the guest
   * has as many as it may, its oldest ends.
   */
  attest(session: AttestedSession): Promise<{ readonly id: string }>;
  /**
   * The attested session of a cookie; each call counts.
   *
   * @throws AttestationError where another broker has verified the evidence, and this one refuses
   * it
   */
  useAttested(id: string, tenant: string): Promise<AttestedSession | undefined>;
  /** Ends the session of a cookie, challenged or attested, if there is one. */
  endOne(id: string, tenant: string): Promise<void>;
  /** Ends all sessions of a tenant; returns how many. */
  end(tenant: string): Promise<number>;
  size(): Promise<number>;
}
