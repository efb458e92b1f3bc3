/** The version of this client, kept alike with package.json by a test. */
export const VERSION = '0.1.0';

/** The version of the Docker Engine API that the client speaks. */
export const API_VERSION = '1.43';
