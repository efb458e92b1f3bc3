/**
 * The byte strings of a report, under the names that JSON of other projects has for them.
 *
 * @module
 */
import { FIELDS, type Field } from '../report/layout.ts';

/** Go-sev-guest and virtee/sev alike write the ABI's names in lower case. */
export const BYTE_FIELDS: Readonly<Record<string, Field>> = {
  family_id: FIELDS.FAMILY_ID,
  image_id: FIELDS.IMAGE_ID,
  report_data: FIELDS.REPORT_DATA,
  measurement: FIELDS.MEASUREMENT,
  host_data: FIELDS.HOST_DATA,
  id_key_digest: FIELDS.ID_KEY_DIGEST,
  author_key_digest: FIELDS.AUTHOR_KEY_DIGEST,
  report_id: FIELDS.REPORT_ID,
  report_id_ma: FIELDS.REPORT_ID_MA,
  chip_id: FIELDS.CHIP_ID,
};
