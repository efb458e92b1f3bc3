import {
  openPeerCertificate,
  peerEvidence,
} from '../../../../ratls/src/certificate/peer-certificate.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing((der) => peerEvidence(openPeerCertificate(der), 'simulated'));
