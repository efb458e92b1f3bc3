/** @file
  Starts the measured kernel.

  The last step of the firmware: kernel, initrd and command line are read once, compared with the
  hashes that are part of the launch measurement, and started. There are no boot options, no shell,
  no boot loader and no device to boot from.

  SPDX-License-Identifier: Apache-2.0
**/

#include <PiDxe.h>

#include <Guid/EventGroup.h>
#include <Guid/LinuxEfiInitrdMedia.h>
#include <Library/BaseLib.h>
#include <Library/BaseMemoryLib.h>
#include <Library/DebugLib.h>
#include <Library/MemoryAllocationLib.h>
#include <Library/QemuFwCfgLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Library/UefiLib.h>
#include <Library/UefiRuntimeServicesTableLib.h>
#include <Protocol/Bds.h>
#include <Protocol/DevicePath.h>
#include <Protocol/LoadFile2.h>
#include <Protocol/LoadedImage.h>

#include "Blob.h"
#include "Console.h"
#include "HashTable.h"
#include "Refuse.h"

#pragma pack (1)
typedef struct {
  VENDOR_DEVICE_PATH          Vendor;
  EFI_DEVICE_PATH_PROTOCOL    End;
} INITRD_DEVICE_PATH;

typedef struct {
  MEMMAP_DEVICE_PATH          Memory;
  EFI_DEVICE_PATH_PROTOCOL    End;
} KERNEL_DEVICE_PATH;
#pragma pack ()

#define END_NODE \
  { END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, { sizeof (EFI_DEVICE_PATH_PROTOCOL) } }

//
// Where the kernel's EFI stub looks for its initrd.
//
STATIC INITRD_DEVICE_PATH  mInitrdDevicePath = {
  {
    { MEDIA_DEVICE_PATH, MEDIA_VENDOR_DP, { sizeof (VENDOR_DEVICE_PATH) } },
    LINUX_EFI_INITRD_MEDIA_GUID
  },
  END_NODE
};

STATIC KERNEL_DEVICE_PATH  mKernelDevicePath = {
  { { HARDWARE_DEVICE_PATH, HW_MEMMAP_DP, { sizeof (MEMMAP_DEVICE_PATH) } }, EfiBootServicesData },
  END_NODE
};

STATIC BLOB  mInitrd;

VOID
Refuse (
  IN CONST CHAR8  *Reason
  )
{
  DEBUG ((DEBUG_ERROR, "refused: %a\n", Reason));
  gRT->ResetSystem (EfiResetShutdown, EFI_SECURITY_VIOLATION, 0, NULL);
  for ( ; ; ) {
    CpuDeadLoop ();
  }
}

/**
  Hands the initrd to the kernel (EFI_LOAD_FILE2_PROTOCOL.LoadFile, UEFI 2.10, 13.2).
**/
STATIC
EFI_STATUS
EFIAPI
LoadInitrd (
  IN     EFI_LOAD_FILE2_PROTOCOL   *This,
  IN     EFI_DEVICE_PATH_PROTOCOL  *FilePath,
  IN     BOOLEAN                   BootPolicy,
  IN OUT UINTN                     *BufferSize,
  IN     VOID                      *Buffer OPTIONAL
  )
{
  if (BootPolicy) {
    return EFI_UNSUPPORTED;
  }

  if (BufferSize == NULL) {
    return EFI_INVALID_PARAMETER;
  }

  if ((Buffer == NULL) || (*BufferSize < mInitrd.Size)) {
    *BufferSize = mInitrd.Size;
    return EFI_BUFFER_TOO_SMALL;
  }

  CopyMem (Buffer, mInitrd.Data, mInitrd.Size);
  *BufferSize = mInitrd.Size;
  return EFI_SUCCESS;
}

STATIC EFI_LOAD_FILE2_PROTOCOL  mLoadInitrd = { LoadInitrd };

STATIC
VOID
OfferInitrd (
  VOID
  )
{
  EFI_HANDLE  Handle;
  EFI_STATUS  Status;

  Handle = NULL;
  Status = gBS->InstallMultipleProtocolInterfaces (
                  &Handle,
                  &gEfiDevicePathProtocolGuid,
                  &mInitrdDevicePath,
                  &gEfiLoadFile2ProtocolGuid,
                  &mLoadInitrd,
                  NULL
                  );
  if (EFI_ERROR (Status)) {
    Refuse ("cannot offer the initrd");
  }
}

/**
  The command line in the form that the kernel takes it: UCS-2, NUL at its end and nowhere else.
**/
STATIC
CHAR16 *
LoadOptions (
  IN BLOB  CommandLine
  )
{
  CHAR16  *Options;
  UINTN   At;

  Options = AllocatePool (CommandLine.Size * sizeof (CHAR16));
  if (Options == NULL) {
    Refuse ("too little memory for the command line");
  }

  for (At = 0; At < CommandLine.Size; At++) {
    if ((CommandLine.Data[At] == 0) != (At == CommandLine.Size - 1)) {
      Refuse ("the command line does not end with its only NUL");
    }

    Options[At] = CommandLine.Data[At];
  }

  return Options;
}

STATIC
VOID
StartKernel (
  IN BLOB  Kernel,
  IN BLOB  CommandLine
  )
{
  EFI_HANDLE                 Image;
  EFI_LOADED_IMAGE_PROTOCOL  *Loaded;
  EFI_STATUS                 Status;

  mKernelDevicePath.Memory.StartingAddress = (UINTN)Kernel.Data;
  mKernelDevicePath.Memory.EndingAddress   = (UINTN)Kernel.Data + Kernel.Size - 1;

  Status = gBS->LoadImage (
                  FALSE,
                  gImageHandle,
                  (EFI_DEVICE_PATH_PROTOCOL *)&mKernelDevicePath,
                  Kernel.Data,
                  Kernel.Size,
                  &Image
                  );
  if (EFI_ERROR (Status)) {
    Refuse ("the kernel is no EFI image");
  }

  Status = gBS->HandleProtocol (Image, &gEfiLoadedImageProtocolGuid, (VOID **)&Loaded);
  if (EFI_ERROR (Status)) {
    Refuse ("the kernel was not loaded");
  }

  Loaded->LoadOptions     = LoadOptions (CommandLine);
  Loaded->LoadOptionsSize = (UINT32)(CommandLine.Size * sizeof (CHAR16));

  EfiSignalEventReadyToBoot ();
  gBS->StartImage (Image, NULL, NULL);
  Refuse ("the kernel returned");
}

/**
  EFI_BDS_ARCH_PROTOCOL.Entry (PI 1.8, II-12.2): all drivers of this firmware have run.
**/
STATIC
VOID
EFIAPI
BootMeasuredKernel (
  IN EFI_BDS_ARCH_PROTOCOL  *This
  )
{
  BLOB  CommandLine;
  BLOB  Kernel;

  //
  // From here on no driver of another origin could be dispatched.
  //
  EfiEventGroupSignal (&gEfiEndOfDxeEventGroupGuid);

  if (!QemuFwCfgIsAvailable ()) {
    Refuse ("no fw_cfg device");
  }

  ReadHashTable ();

  CommandLine = ReadCommandLine ();
  RequireMeasured (MeasuredCommandLine, CommandLine.Data, CommandLine.Size);
  mInitrd = ReadInitrd ();
  RequireMeasured (MeasuredInitrd, mInitrd.Data, mInitrd.Size);
  Kernel = ReadKernel ();
  RequireMeasured (MeasuredKernel, Kernel.Data, Kernel.Size);

  OfferInitrd ();
  InstallSilentConsole ();
  StartKernel (Kernel, CommandLine);
}

STATIC EFI_BDS_ARCH_PROTOCOL  mBds = { BootMeasuredKernel };

EFI_STATUS
EFIAPI
KernelDxeEntryPoint (
  IN EFI_HANDLE        ImageHandle,
  IN EFI_SYSTEM_TABLE  *SystemTable
  )
{
  EFI_HANDLE  Handle;

  Handle = NULL;
  return gBS->InstallProtocolInterface (
                &Handle,
                &gEfiBdsArchProtocolGuid,
                EFI_NATIVE_INTERFACE,
                &mBds
                );
}
