/** @file
  The table of processors and interrupt controllers (MADT, ACPI 6.5, 5.2.12).

  SPDX-License-Identifier: Apache-2.0
**/

#include <Library/BaseMemoryLib.h>
#include <Library/MemoryAllocationLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Protocol/MpService.h>

#include "Tables.h"

#define LOCAL_APIC_ADDRESS  0xFEE00000
#define IO_APIC_ADDRESS     0xFEC00000

//
// From here on an APIC identifier needs the x2APIC structure (5.2.12.12).
//
#define FIRST_X2APIC_ID  255

#define ACTIVE_HIGH_LEVEL  0x000D
#define ALL_PROCESSORS     0xFF

#pragma pack (1)
typedef struct {
  EFI_ACPI_5_0_MULTIPLE_APIC_DESCRIPTION_TABLE_HEADER    Header;
  EFI_ACPI_5_0_IO_APIC_STRUCTURE                         IoApic;
  EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE_STRUCTURE       Timer;
  EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE_STRUCTURE       Sci;
  EFI_ACPI_5_0_LOCAL_APIC_NMI_STRUCTURE                  Nmi;
} FIXED_MADT;
#pragma pack ()

STATIC CONST FIXED_MADT  mFixed = {
  { { 0 }, LOCAL_APIC_ADDRESS, EFI_ACPI_5_0_PCAT_COMPAT },
  { EFI_ACPI_5_0_IO_APIC, sizeof (EFI_ACPI_5_0_IO_APIC_STRUCTURE), 0, 0, IO_APIC_ADDRESS, 0 },
  {
    EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE,
    sizeof (EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE_STRUCTURE),
    0, 0, 2, 0
  },
  {
    EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE,
    sizeof (EFI_ACPI_5_0_INTERRUPT_SOURCE_OVERRIDE_STRUCTURE),
    0, SCI_INTERRUPT, SCI_INTERRUPT, ACTIVE_HIGH_LEVEL
  },
  { EFI_ACPI_5_0_LOCAL_APIC_NMI, sizeof (EFI_ACPI_5_0_LOCAL_APIC_NMI_STRUCTURE), ALL_PROCESSORS, 0, 1 }
};

/**
  Writes the structure of one processor and returns where the next one goes.
**/
STATIC
UINT8 *
AddProcessor (
  OUT UINT8   *At,
  IN  UINT32  Uid,
  IN  UINT32  ApicId
  )
{
  EFI_ACPI_5_0_PROCESSOR_LOCAL_APIC_STRUCTURE    Apic;
  EFI_ACPI_5_0_PROCESSOR_LOCAL_X2APIC_STRUCTURE  X2Apic;

  if ((ApicId < FIRST_X2APIC_ID) && (Uid < ALL_PROCESSORS)) {
    ZeroMem (&Apic, sizeof (Apic));
    Apic.Type             = EFI_ACPI_5_0_PROCESSOR_LOCAL_APIC;
    Apic.Length           = sizeof (Apic);
    Apic.AcpiProcessorId  = (UINT8)Uid;
    Apic.ApicId           = (UINT8)ApicId;
    Apic.Flags            = EFI_ACPI_5_0_LOCAL_APIC_ENABLED;
    CopyMem (At, &Apic, sizeof (Apic));
    return At + sizeof (Apic);
  }

  ZeroMem (&X2Apic, sizeof (X2Apic));
  X2Apic.Type             = EFI_ACPI_5_0_PROCESSOR_LOCAL_X2APIC;
  X2Apic.Length           = sizeof (X2Apic);
  X2Apic.X2ApicId         = ApicId;
  X2Apic.Flags            = EFI_ACPI_5_0_LOCAL_APIC_ENABLED;
  X2Apic.AcpiProcessorUid = Uid;
  CopyMem (At, &X2Apic, sizeof (X2Apic));
  return At + sizeof (X2Apic);
}

EFI_STATUS
MakeMadt (
  OUT EFI_ACPI_DESCRIPTION_HEADER  **Madt
  )
{
  EFI_MP_SERVICES_PROTOCOL   *MpServices;
  EFI_PROCESSOR_INFORMATION  Processor;
  EFI_STATUS                 Status;
  UINTN                      Count;
  UINTN                      Enabled;
  UINTN                      Index;
  UINT8                      *Table;
  UINT8                      *At;

  Status = gBS->LocateProtocol (&gEfiMpServiceProtocolGuid, NULL, (VOID **)&MpServices);
  if (EFI_ERROR (Status)) {
    return Status;
  }

  Status = MpServices->GetNumberOfProcessors (MpServices, &Count, &Enabled);
  if (EFI_ERROR (Status)) {
    return Status;
  }

  Table = AllocateZeroPool (
            sizeof (mFixed) + Count * sizeof (EFI_ACPI_5_0_PROCESSOR_LOCAL_X2APIC_STRUCTURE)
            );
  if (Table == NULL) {
    return EFI_OUT_OF_RESOURCES;
  }

  CopyMem (Table, &mFixed, sizeof (mFixed));
  At = Table + sizeof (mFixed);
  for (Index = 0; Index < Count; Index++) {
    Status = MpServices->GetProcessorInfo (MpServices, Index, &Processor);
    if (EFI_ERROR (Status)) {
      FreePool (Table);
      return Status;
    }

    At = AddProcessor (At, (UINT32)Index, (UINT32)Processor.ProcessorId);
  }

  *Madt = (EFI_ACPI_DESCRIPTION_HEADER *)Table;
  DescribeTable (
    *Madt,
    EFI_ACPI_5_0_MULTIPLE_APIC_DESCRIPTION_TABLE_SIGNATURE,
    EFI_ACPI_5_0_MULTIPLE_APIC_DESCRIPTION_TABLE_REVISION,
    (UINT32)(At - Table)
    );
  return EFI_SUCCESS;
}
