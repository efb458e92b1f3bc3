/** @file
  What the host hands over by QEMU's fw_cfg device.

  SPDX-License-Identifier: Apache-2.0
**/

#ifndef BLOB_H_
#define BLOB_H_

#include <Uefi.h>

typedef struct {
  UINT8    *Data;
  UINTN    Size;
} BLOB;

/**
  Reads the command line, with its NUL. Does not return if there is none.
**/
BLOB
ReadCommandLine (
  VOID
  );

/**
  Reads the initrd. Does not return if there is none.
**/
BLOB
ReadInitrd (
  VOID
  );

/**
  Reads the kernel as it is in its file. Does not return if there is none.
**/
BLOB
ReadKernel (
  VOID
  );

#endif
