import { parseLaunchSpec } from '../../../../policies/src/launch-spec/parse-launch-spec.ts';
import { refusing } from '../refusing.ts';

export const fuzz = refusing(parseLaunchSpec);
