export {
  BOX_SPEC_SCHEMA,
  BoxSpec,
  Confinement,
  ProcessSpec,
  Resources,
} from './box-spec.ts';
