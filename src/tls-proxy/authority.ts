/** An authority for one builder or one box, which nobody else trusts: PEM. */
export interface Authority {
  readonly certificate: string;
  readonly privateKey: string;
}
