/**
 * The certificate that the flags of `fetch-certs` request.
 *
 * @module
 */
import type { Invocation } from '../../../command.ts';
import { InputError } from '../../../files/input-error.ts';
import { UsageError } from '../../../usage-error.ts';
import { parseHexBytes } from '../../../values/confidential/hex.ts';
import { parseTcb, type TcbParts } from '../../../values/confidential/tcb.ts';
import { readEvidence } from '../input/evidence-input.ts';
import { type Library, refusing } from '../load-library.ts';

type Client = InstanceType<Library['KdsClient']>;
export type VcekRequest = Parameters<Client['vcek']>[0];
export type Product = VcekRequest['product'];

/** Bytes. */
const CHIP_ID = 64;
const TURIN_CHIP_ID = 8;

const PRODUCTS: readonly Product[] = ['Milan', 'Genoa', 'Turin'];

/** @throws RangeError for the name of no product */
export function parseProduct(text: string): Product {
  const product = PRODUCTS.find((name) => name.toLowerCase() === text.toLowerCase());
  if (product === undefined) throw new RangeError(`it takes one of ${PRODUCTS.join(', ')}`);
  return product;
}

/** @throws UsageError for flags, and InputError for a report, that name no certificate */
export async function wantedVcek(invocation: Invocation, library: Library): Promise<VcekRequest> {
  return invocation.flags.given('report')
    ? reportedVcek(invocation, library)
    : namedVcek(invocation);
}

function namedVcek({ flags }: Invocation): VcekRequest {
  const product = flags.needed('product', parseProduct);
  return {
    product,
    chipId: flags.needed('chip-id', (text) => parseChipId(text, product)),
    tcb: flags.needed('tcb', (text) => tcbOf(text, product)),
  };
}

function tcbOf(text: string, product: Product): TcbParts {
  const tcb = parseTcb(text);
  if ((tcb.fmc !== undefined) === (product === 'Turin')) return tcb;
  throw new RangeError('on Turin it has fmc, elsewhere not');
}

/** The chip id as a report has it; that of a Turin also without the zeros behind it. */
function parseChipId(text: string, product: Product): string {
  const size = product === 'Turin' && text.length === TURIN_CHIP_ID * 2 ? TURIN_CHIP_ID : CHIP_ID;
  return Buffer.from(parseHexBytes(text, size)).toString('hex');
}

async function reportedVcek(
  { context, flags }: Invocation,
  library: Library,
): Promise<VcekRequest> {
  const named = flags.parsed('product', parseProduct);
  const { evidence } = await readEvidence(context, flags, library);
  const { cpuid, keyInfo, chipId, reportedTcb } = refusing(library, 'the report', () =>
    library.unverifiedClaims(library.parseReport(evidence.report)),
  );
  if (keyInfo.signingKey === 'VLEK') {
    throw new InputError('kds-unsupported', 'Cannot fetch the certificate: a VLEK signed', {
      remedy:
        'Get it from the cloud provider, which alone hands it out, and give it to verify with --vek; its revocation list comes with --crl.',
    });
  }
  const product = (cpuid === null ? null : library.productOf(cpuid)) ?? named;
  if (product !== undefined) return { product, chipId, tcb: reportedTcb };
  throw new UsageError('The report is of version 2, which does not name its product', {
    remedy: 'Name it with --product.',
  });
}
