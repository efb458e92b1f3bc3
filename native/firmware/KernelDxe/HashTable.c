/** @file
  The table of kernel hashes.

  SPDX-License-Identifier: Apache-2.0
**/

#include <Library/BaseCryptLib.h>
#include <Library/BaseMemoryLib.h>
#include <Library/PcdLib.h>

#include "HashTable.h"
#include "Refuse.h"

#pragma pack (1)
typedef struct {
  EFI_GUID    Guid;
  UINT16      Length;
  UINT8       Hash[SHA256_DIGEST_SIZE];
} HASH_ENTRY;

typedef struct {
  EFI_GUID      Guid;
  UINT16        Length;
  HASH_ENTRY    Entries[MeasuredItems];
} HASH_TABLE;
#pragma pack ()

STATIC CONST EFI_GUID  mTableGuid = {
  0x9438d606, 0x4f22, 0x4cc9, { 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21 }
};

STATIC CONST EFI_GUID  mEntryGuids[MeasuredItems] = {
  { 0x97d02dd8, 0xbd20, 0x4c94, { 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a } },
  { 0x44baf731, 0x3a2f, 0x4bd7, { 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d } },
  { 0x4de79437, 0xabd2, 0x427f, { 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b } },
};

STATIC HASH_TABLE  mTable;

VOID
ReadHashTable (
  VOID
  )
{
  UINTN  Item;

  if (FixedPcdGet32 (PcdQemuHashTableSize) < sizeof (mTable)) {
    Refuse ("no room for a table of hashes");
  }

  CopyMem (&mTable, (VOID *)(UINTN)FixedPcdGet32 (PcdQemuHashTableBase), sizeof (mTable));
  if (!CompareGuid (&mTable.Guid, &mTableGuid) || (mTable.Length != sizeof (mTable))) {
    Refuse ("no table of hashes, or one of another form");
  }

  for (Item = 0; Item < MeasuredItems; Item++) {
    if (!CompareGuid (&mTable.Entries[Item].Guid, &mEntryGuids[Item]) ||
        (mTable.Entries[Item].Length != sizeof (HASH_ENTRY)))
    {
      Refuse ("the table of hashes has another entry");
    }
  }
}

VOID
RequireMeasured (
  IN MEASURED_ITEM  Item,
  IN CONST VOID     *Data,
  IN UINTN          Size
  )
{
  UINT8  Hash[SHA256_DIGEST_SIZE];

  if (!Sha256HashAll (Data, Size, Hash)) {
    Refuse ("cannot hash");
  }

  if (CompareMem (Hash, mTable.Entries[Item].Hash, sizeof (Hash)) != 0) {
    Refuse ("not what was measured");
  }
}
