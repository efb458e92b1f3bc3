/** @file
  The table of kernel hashes: part of the launch measurement, at an address that the firmware
  declares (QEMU target/i386/sev.c, `kernel-hashes=on`).

  SPDX-License-Identifier: Apache-2.0
**/

#ifndef HASH_TABLE_H_
#define HASH_TABLE_H_

#include <Uefi.h>

typedef enum {
  MeasuredCommandLine,
  MeasuredInitrd,
  MeasuredKernel,
  MeasuredItems
} MEASURED_ITEM;

/**
  Reads the table into private variables. Does not return unless it has exactly its three entries, in
  QEMU's order, and no byte more.
**/
VOID
ReadHashTable (
  VOID
  );

/**
  Compares bytes with their entry. Does not return unless they are those that were measured.

  @param[in] Item  Which of the three.
  @param[in] Data  The bytes, in memory that the host cannot change.
  @param[in] Size  How many.
**/
VOID
RequireMeasured (
  IN MEASURED_ITEM  Item,
  IN CONST VOID     *Data,
  IN UINTN          Size
  );

#endif
