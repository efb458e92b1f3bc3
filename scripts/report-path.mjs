/** Where a script writes its results for `npm test`: after `--report=`. */
export function reportPath(argv) {
  const prefix = '--report=';
  return argv.find((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}
