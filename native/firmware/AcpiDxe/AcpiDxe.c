/** @file
  ACPI tables of this firmware's own making.

  AML is code that the kernel runs with the right to touch any of the guest's memory, and QEMU offers
  tables that nothing measures. This firmware reads none of them. Its own are constant but for the
  processors, and part of the launch measurement as the firmware is.

  SPDX-License-Identifier: Apache-2.0
**/

#include "Tables.h"

#include <Library/BaseLib.h>
#include <Library/BaseMemoryLib.h>
#include <Library/DebugLib.h>
#include <Library/MemoryAllocationLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Protocol/AcpiTable.h>

//
// Compiled from Dsdt.asl by `iasl -tc`: UINT8 dsdt_aml_code[].
//
#include "Dsdt.hex"

//
// ICH9's power management registers, at the base that PlatformPei writes (ICH9_PMBASE_VALUE).
//
#define PM_EVENT    0x600
#define PM_CONTROL  0x604
#define PM_TIMER    0x608

#define PM_EVENT_LENGTH    4
#define PM_CONTROL_LENGTH  2
#define PM_TIMER_LENGTH    4

//
// Latencies that say there are no C2 and C3 states (ACPI 6.5, 5.2.9).
//
#define NO_C2  101
#define NO_C3  1001

STATIC CONST EFI_ACPI_5_0_FIXED_ACPI_DESCRIPTION_TABLE  mFadt = {
  .SciInt       = SCI_INTERRUPT,
  .Pm1aEvtBlk   = PM_EVENT,
  .Pm1aCntBlk   = PM_CONTROL,
  .PmTmrBlk     = PM_TIMER,
  .Pm1EvtLen    = PM_EVENT_LENGTH,
  .Pm1CntLen    = PM_CONTROL_LENGTH,
  .PmTmrLen     = PM_TIMER_LENGTH,
  .PLvl2Lat     = NO_C2,
  .PLvl3Lat     = NO_C3,
  .IaPcBootArch = EFI_ACPI_5_0_VGA_NOT_PRESENT,
  .Flags        = EFI_ACPI_5_0_WBINVD | EFI_ACPI_5_0_PROC_C1 |
                  EFI_ACPI_5_0_PWR_BUTTON | EFI_ACPI_5_0_SLP_BUTTON
};

STATIC CONST EFI_ACPI_5_0_FIRMWARE_ACPI_CONTROL_STRUCTURE  mFacs = {
  .Signature = EFI_ACPI_5_0_FIRMWARE_ACPI_CONTROL_STRUCTURE_SIGNATURE,
  .Length    = sizeof (EFI_ACPI_5_0_FIRMWARE_ACPI_CONTROL_STRUCTURE),
  .Version   = EFI_ACPI_5_0_FIRMWARE_ACPI_CONTROL_STRUCTURE_VERSION
};

VOID
DescribeTable (
  OUT EFI_ACPI_DESCRIPTION_HEADER  *Header,
  IN  UINT32                       Signature,
  IN  UINT8                        Revision,
  IN  UINT32                       Length
  )
{
  Header->Signature       = Signature;
  Header->Length          = Length;
  Header->Revision        = Revision;
  Header->Checksum        = 0;
  Header->OemTableId      = SIGNATURE_64 ('A', '3', 'S', 'G', 'U', 'E', 'S', 'T');
  Header->OemRevision     = 1;
  Header->CreatorId       = SIGNATURE_32 ('A', '3', 'S', ' ');
  Header->CreatorRevision = 1;
  CopyMem (Header->OemId, "A3SBOX", sizeof (Header->OemId));
}

/**
  Installs one table, which the protocol copies, and of which it computes the checksum.
**/
STATIC
EFI_STATUS
Install (
  IN EFI_ACPI_TABLE_PROTOCOL  *Tables,
  IN VOID                     *Table,
  IN UINTN                    Size
  )
{
  UINTN  Key;

  return Tables->InstallAcpiTable (Tables, Table, Size, &Key);
}

STATIC
EFI_STATUS
InstallAll (
  IN EFI_ACPI_TABLE_PROTOCOL  *Tables
  )
{
  EFI_ACPI_5_0_FIXED_ACPI_DESCRIPTION_TABLE     Fadt;
  EFI_ACPI_5_0_FIRMWARE_ACPI_CONTROL_STRUCTURE  Facs;
  EFI_ACPI_DESCRIPTION_HEADER                   *Madt;
  EFI_STATUS                                    Status;

  CopyMem (&Fadt, &mFadt, sizeof (Fadt));
  DescribeTable (
    &Fadt.Header,
    EFI_ACPI_5_0_FIXED_ACPI_DESCRIPTION_TABLE_SIGNATURE,
    EFI_ACPI_5_0_FIXED_ACPI_DESCRIPTION_TABLE_REVISION,
    sizeof (Fadt)
    );
  CopyMem (&Facs, &mFacs, sizeof (Facs));

  Status = Install (Tables, &Facs, sizeof (Facs));
  if (!EFI_ERROR (Status)) {
    Status = Install (Tables, dsdt_aml_code, sizeof (dsdt_aml_code));
  }

  if (!EFI_ERROR (Status)) {
    Status = Install (Tables, &Fadt, sizeof (Fadt));
  }

  if (!EFI_ERROR (Status)) {
    Status = MakeMadt (&Madt);
  }

  if (!EFI_ERROR (Status)) {
    Status = Install (Tables, Madt, Madt->Length);
    FreePool (Madt);
  }

  return Status;
}

EFI_STATUS
EFIAPI
AcpiDxeEntryPoint (
  IN EFI_HANDLE        ImageHandle,
  IN EFI_SYSTEM_TABLE  *SystemTable
  )
{
  EFI_ACPI_TABLE_PROTOCOL  *Tables;
  EFI_STATUS               Status;

  Status = gBS->LocateProtocol (&gEfiAcpiTableProtocolGuid, NULL, (VOID **)&Tables);
  if (!EFI_ERROR (Status)) {
    Status = InstallAll (Tables);
  }

  //
  // A kernel without these tables would look for others.
  //
  if (EFI_ERROR (Status)) {
    DEBUG ((DEBUG_ERROR, "refused: cannot install ACPI tables: %r\n", Status));
    CpuDeadLoop ();
  }

  return Status;
}
