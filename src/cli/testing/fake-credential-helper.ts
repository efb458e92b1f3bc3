/**
 * A credential helper for tests: a script that stores its input in files beside itself.
 *
 * @module
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const KEEPER = `#!/bin/sh
dir=$(dirname "$0")
case "$1" in
  store) cat > "$dir/stored" ;;
  get) cat > "$dir/asked"; if [ -e "$dir/stored" ]; then cat "$dir/stored"; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) cat > "$dir/erased"; rm -f "$dir/stored" ;;
esac
`;

export class FakeHelper {
  readonly #directory: string;
  /** With the helper in PATH. */
  readonly path: string;

  /** @param script its source; by default one that stores its input */
  constructor(directory: string, name: string, script = KEEPER) {
    this.#directory = directory;
    this.path = `${directory}${delimiter}${process.env['PATH']}`;
    const file = join(directory, `docker-credential-${name}`);
    writeFileSync(file, script);
    chmodSync(file, 0o755);
  }

  /** What was stored, or undefined. */
  get stored(): unknown {
    const file = join(this.#directory, 'stored');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  }

  /** The registry that the action was for. */
  input(action: 'asked' | 'erased'): string {
    return readFileSync(join(this.#directory, action), 'utf8');
  }
}
