/** @file
  The console of a firmware that shows nothing.

  SPDX-License-Identifier: Apache-2.0
**/

#ifndef CONSOLE_H_
#define CONSOLE_H_

/**
  Gives the system table a console output and an error output, which take all that is written and
  show none of it.
**/
VOID
InstallSilentConsole (
  VOID
  );

#endif
