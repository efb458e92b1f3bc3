import { verifyIdBlock } from '../../../../attestation/src/measure/id-block/id-sign.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing((bytes) => verifyIdBlock(bytes.subarray(0, 96), bytes.subarray(96)));
