import { TCB_MINIMUMS } from '@a3s-box/policies/attestation-policy';
import { expect, it } from 'vitest';
import { PRODUCT_MODELS } from '../report/product.ts';

it('the TCB minimums cover the models of each class of processor', () => {
  const classes = PRODUCT_MODELS.map(({ tcbClass, family, firstModel, lastModel }) => [
    tcbClass,
    { family, firstModel, lastModel },
  ]);
  const minimums = Object.entries(TCB_MINIMUMS).map(
    ([tcbClass, { family, firstModel, lastModel }]) => [
      tcbClass,
      { family, firstModel, lastModel },
    ],
  );
  expect(minimums).toEqual(classes);
});
