/** @file
  What is common to the tables.

  SPDX-License-Identifier: Apache-2.0
**/

#ifndef TABLES_H_
#define TABLES_H_

#include <PiDxe.h>
#include <IndustryStandard/Acpi.h>

//
// Global system interrupt of ACPI itself: QEMU's q35 raises the one that is ISA interrupt 9.
//
#define SCI_INTERRUPT  9

/**
  Fills a table's header in, but for the checksum.
**/
VOID
DescribeTable (
  OUT EFI_ACPI_DESCRIPTION_HEADER  *Header,
  IN  UINT32                       Signature,
  IN  UINT8                        Revision,
  IN  UINT32                       Length
  );

/**
  Makes the table of processors and interrupt controllers: the processors that this firmware itself
  started, whatever the host says of their number.

  @param[out] Madt  The table, allocated from pool.

  @retval EFI_SUCCESS  The table was made.
  @return              What the MP services say, or that there is no memory.
**/
EFI_STATUS
MakeMadt (
  OUT EFI_ACPI_DESCRIPTION_HEADER  **Madt
  );

#endif
