/** The help of `--format`, the same for all commands that list. */
export const FORMAT_HELP =
  "Format output using a custom template: 'table' (default), 'table TEMPLATE', 'json', or 'TEMPLATE', which is a Go template";

/** The help of `--format` for commands that show one document. */
export const DOCUMENT_FORMAT_HELP =
  "Format output using a custom template: 'json', or 'TEMPLATE', which is a Go template";
