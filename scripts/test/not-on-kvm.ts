/**
 * The files of the vm stage that `npm run test:host` leaves out unless they are named, and why.
 *
 * @module
 */
const EMULATES = 'it emulates its guests on every host';

/** By file. Each of them tells nothing of a host with KVM that it does not tell without. */
export const NOT_ON_KVM: Readonly<Record<string, string>> = {
  'test/e2e/arm64.test.ts': `${EMULATES}, whose processor is another`,
  'test/e2e/device-mapper.test.ts': `${EMULATES}, and looks at their kernel alone`,
  'test/e2e/hostile-host/firmware.test.ts': `${EMULATES}, and looks at their firmware alone`,
  'test/e2e/krun.test.ts': `the library in libkrun's place ${EMULATES.slice(3)}`,
};
