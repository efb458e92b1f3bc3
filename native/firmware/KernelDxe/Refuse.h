/** @file
  The one way in which this firmware fails.

  SPDX-License-Identifier: Apache-2.0
**/

#ifndef REFUSE_H_
#define REFUSE_H_

#include <Uefi.h>

/**
  Ends the boot. Asks the host to switch the machine off, and loops where it does not: no path leads
  from here to code that was not measured.

  @param[in] Reason  For the debug port of a debug build.
**/
VOID
Refuse (
  IN CONST CHAR8  *Reason
  );

#endif
