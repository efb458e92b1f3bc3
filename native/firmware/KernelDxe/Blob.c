/** @file
  What the host hands over by QEMU's fw_cfg device: three items of bounded size, each copied once
  into memory of the guest. Nothing else that the device has is used here.

  SPDX-License-Identifier: Apache-2.0
**/

#include <Library/BaseLib.h>
#include <Library/BaseMemoryLib.h>
#include <Library/MemoryAllocationLib.h>
#include <Library/QemuFwCfgLib.h>

#include "Blob.h"
#include "Refuse.h"

//
// With memory encryption, a read goes through a buffer of its own size that the host can see.
//
#define CHUNK_SIZE  SIZE_1MB

#define MAX_COMMAND_LINE_SIZE  SIZE_64KB
#define MAX_INITRD_SIZE        SIZE_1GB
#define MAX_KERNEL_SIZE        SIZE_256MB
#define MAX_DIRECTORY_ENTRIES  1024

//
// Files that QEMU offers a firmware to boot from.
//
#define BLOBS        "etc/boot/"
#define KERNEL_BLOB  "etc/boot/kernel"

STATIC
UINT32
ItemSize (
  IN FIRMWARE_CONFIG_ITEM  Key
  )
{
  QemuFwCfgSelectItem (Key);
  return QemuFwCfgRead32 ();
}

STATIC
BLOB
NewBlob (
  IN UINT64  Size,
  IN UINT64  MaxSize
  )
{
  BLOB  Blob;

  if ((Size == 0) || (Size > MaxSize)) {
    Refuse ("an item is missing or too large");
  }

  Blob.Size = (UINTN)Size;
  Blob.Data = AllocatePages (EFI_SIZE_TO_PAGES (Blob.Size));
  if (Blob.Data == NULL) {
    Refuse ("too little memory for an item");
  }

  return Blob;
}

STATIC
VOID
ReadItem (
  IN FIRMWARE_CONFIG_ITEM  Key,
  OUT UINT8                *Data,
  IN UINTN                 Size
  )
{
  UINTN  Chunk;

  QemuFwCfgSelectItem (Key);
  for ( ; Size > 0; Size -= Chunk, Data += Chunk) {
    Chunk = MIN (Size, CHUNK_SIZE);
    QemuFwCfgReadBytes (Chunk, Data);
  }
}

BLOB
ReadCommandLine (
  VOID
  )
{
  BLOB  Blob;

  Blob = NewBlob (ItemSize (QemuFwCfgItemCommandLineSize), MAX_COMMAND_LINE_SIZE);
  ReadItem (QemuFwCfgItemCommandLineData, Blob.Data, Blob.Size);
  return Blob;
}

BLOB
ReadInitrd (
  VOID
  )
{
  BLOB  Blob;

  Blob = NewBlob (ItemSize (QemuFwCfgItemInitrdSize), MAX_INITRD_SIZE);
  ReadItem (QemuFwCfgItemInitrdData, Blob.Data, Blob.Size);
  return Blob;
}

#pragma pack (1)
typedef struct {
  UINT32    Size;       // big-endian, as is the next
  UINT16    Select;
  UINT16    Reserved;
  CHAR8     Name[QEMU_FW_CFG_FNAME_SIZE];
} DIRECTORY_ENTRY;
#pragma pack ()

/**
  Finds the one blob that may be there, `etc/boot/kernel`. Does not return if there is another one
  below `etc/boot/`: a `shim`, say, which other firmware starts in place of the kernel.

  @param[out] Key   Selects the kernel's data.
  @param[out] Size  The size of the kernel.

  @retval TRUE   It is there.
  @retval FALSE  There is nothing below `etc/boot/`.
**/
STATIC
BOOLEAN
FindKernel (
  OUT FIRMWARE_CONFIG_ITEM  *Key,
  OUT UINT32                *Size
  )
{
  DIRECTORY_ENTRY  Entry;
  BOOLEAN          Found;
  UINT32           Left;

  QemuFwCfgSelectItem (QemuFwCfgItemFileDir);
  Left = SwapBytes32 (QemuFwCfgRead32 ());
  if (Left > MAX_DIRECTORY_ENTRIES) {
    Refuse ("the directory of fw_cfg is too large");
  }

  for (Found = FALSE; Left > 0; Left--) {
    QemuFwCfgReadBytes (sizeof (Entry), &Entry);
    if (AsciiStrnCmp (Entry.Name, BLOBS, sizeof (BLOBS) - 1) != 0) {
      continue;
    }

    if (Found || (CompareMem (Entry.Name, KERNEL_BLOB, sizeof (KERNEL_BLOB)) != 0)) {
      Refuse ("a blob that is not the kernel");
    }

    *Key  = SwapBytes16 (Entry.Select);
    *Size = SwapBytes32 (Entry.Size);
    Found = TRUE;
  }

  return Found;
}

/**
  QEMU 10 has the file itself as a blob, beside a setup part and a rest that it changes for a machine
  without SEV. Older versions have the two parts alone, unchanged for a machine with SEV. Whichever it
  is, the hash decides.
**/
BLOB
ReadKernel (
  VOID
  )
{
  BLOB                  Blob;
  FIRMWARE_CONFIG_ITEM  Key;
  UINT32                FileSize;
  UINT32                SetupSize;
  UINT32                RestSize;

  if (FindKernel (&Key, &FileSize)) {
    Blob = NewBlob (FileSize, MAX_KERNEL_SIZE);
    ReadItem (Key, Blob.Data, Blob.Size);
    return Blob;
  }

  SetupSize = ItemSize (QemuFwCfgItemKernelSetupSize);
  RestSize  = ItemSize (QemuFwCfgItemKernelSize);
  Blob      = NewBlob ((UINT64)SetupSize + RestSize, MAX_KERNEL_SIZE);
  ReadItem (QemuFwCfgItemKernelSetupData, Blob.Data, SetupSize);
  ReadItem (QemuFwCfgItemKernelData, Blob.Data + SetupSize, RestSize);
  return Blob;
}
