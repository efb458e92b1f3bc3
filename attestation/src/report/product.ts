/**
 * Which processor a report is from.
 *
 * @module
 */

/** Product lines that have a root key each. Bergamo and Siena are endorsed as Genoa. */
export type Product = 'Milan' | 'Genoa' | 'Turin';

/** Products that number their firmware alike: the key of TCB minimums. */
export type TcbClass = 'milan' | 'genoa' | 'bergamo_siena' | 'turin';

/** Processors of one kind: a family, and models from the first to the last, both included. */
export interface ProductModels {
  readonly family: number;
  readonly firstModel: number;
  readonly lastModel: number;
  readonly product: Product;
  readonly tcbClass: TcbClass;
}

/** Every processor whose TCB layout is documented and whose root is pinned. */
export const PRODUCT_MODELS: readonly ProductModels[] = [
  { family: 0x19, firstModel: 0x00, lastModel: 0x0f, product: 'Milan', tcbClass: 'milan' },
  { family: 0x19, firstModel: 0x10, lastModel: 0x1f, product: 'Genoa', tcbClass: 'genoa' },
  { family: 0x19, firstModel: 0xa0, lastModel: 0xaf, product: 'Genoa', tcbClass: 'bergamo_siena' },
  { family: 0x1a, firstModel: 0x00, lastModel: 0x11, product: 'Turin', tcbClass: 'turin' },
];

/** Family and model, extended ones included, as a report has them. */
export interface FamilyModel {
  readonly family: number;
  readonly model: number;
}

function modelsOf({ family, model }: FamilyModel): ProductModels | undefined {
  return PRODUCT_MODELS.find(
    (models) => models.family === family && models.firstModel <= model && model <= models.lastModel,
  );
}

/**
 * The product line of a processor, null for one that is not known.
 *
 * It only selects the root; the chain under it proves the processor.
 */
export function productOf(cpuid: FamilyModel): Product | null {
  return modelsOf(cpuid)?.product ?? null;
}

/** The TCB class of a processor, null for one that is not known. */
export function tcbClassOf(cpuid: FamilyModel): TcbClass | null {
  return modelsOf(cpuid)?.tcbClass ?? null;
}
