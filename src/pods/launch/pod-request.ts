/**
 * The request for a new pod.
 *
 * @module
 */
import type { PodDefinition } from '../record/pod.ts';

/** As the record has it, but for what the server chooses. */
export type PodRequest = Omit<PodDefinition, 'id' | 'createdAt' | 'bootSet' | 'identity'>;
