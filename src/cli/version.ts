/** The version of this client. A test keeps it equal to package.json's. */
export const VERSION = '0.1.0';

/** The version of the Docker Engine API that the client speaks. */
export const API_VERSION = '1.43';
