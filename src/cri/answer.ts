/**
 * An answer as a method gives it.
 *
 * @module
 */
import type { Message, MessageInitShape } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';

/** Fields that have their defaults may be left out. */
export type Answer<M extends Message> = MessageInitShape<GenMessage<M>>;
