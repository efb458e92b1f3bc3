// Of set-up: makes what the tests with databases have in their image.
import { makeDatabaseLayers } from '../test/images/database-image.ts';

await makeDatabaseLayers();
