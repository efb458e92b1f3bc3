/** @file
  The console of a firmware that shows nothing.

  The kernel's EFI stub writes its errors, and without `quiet` other lines too, to
  EFI_SYSTEM_TABLE.ConOut, which it takes to be there (UEFI 2.10, 4.3). This firmware has no driver of
  a console, so that field would be NULL, and the stub would call what lies at address 8.

  SPDX-License-Identifier: Apache-2.0
**/

#include <Uefi.h>

#include <Library/UefiBootServicesTableLib.h>
#include <Protocol/SimpleTextOut.h>

#include "Console.h"
#include "Refuse.h"

#define COLUMNS  80
#define ROWS     25

STATIC
EFI_STATUS
EFIAPI
Reset (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN BOOLEAN                          ExtendedVerification
  )
{
  return EFI_SUCCESS;
}

/**
  OutputString and TestString: every character can be shown, as nothing.
**/
STATIC
EFI_STATUS
EFIAPI
TakeString (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN CHAR16                           *String
  )
{
  return EFI_SUCCESS;
}

STATIC
EFI_STATUS
EFIAPI
QueryMode (
  IN  EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN  UINTN                            ModeNumber,
  OUT UINTN                            *Columns,
  OUT UINTN                            *Rows
  )
{
  if (ModeNumber != 0) {
    return EFI_UNSUPPORTED;
  }

  *Columns = COLUMNS;
  *Rows    = ROWS;
  return EFI_SUCCESS;
}

STATIC
EFI_STATUS
EFIAPI
SetMode (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN UINTN                            ModeNumber
  )
{
  return (ModeNumber == 0) ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

STATIC
EFI_STATUS
EFIAPI
SetAttribute (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN UINTN                            Attribute
  )
{
  return EFI_SUCCESS;
}

STATIC
EFI_STATUS
EFIAPI
ClearScreen (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This
  )
{
  return EFI_SUCCESS;
}

STATIC
EFI_STATUS
EFIAPI
SetCursorPosition (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN UINTN                            Column,
  IN UINTN                            Row
  )
{
  return ((Column < COLUMNS) && (Row < ROWS)) ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

STATIC
EFI_STATUS
EFIAPI
EnableCursor (
  IN EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  *This,
  IN BOOLEAN                          Visible
  )
{
  return EFI_UNSUPPORTED;
}

STATIC EFI_SIMPLE_TEXT_OUTPUT_MODE  mMode = { 1, 0, 0, 0, 0, FALSE };

STATIC EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL  mSilent = {
  Reset,
  TakeString,
  TakeString,
  QueryMode,
  SetMode,
  SetAttribute,
  ClearScreen,
  SetCursorPosition,
  EnableCursor,
  &mMode
};

VOID
InstallSilentConsole (
  VOID
  )
{
  EFI_HANDLE  Handle;
  EFI_STATUS  Status;

  Handle = NULL;
  Status = gBS->InstallProtocolInterface (
                  &Handle,
                  &gEfiSimpleTextOutProtocolGuid,
                  EFI_NATIVE_INTERFACE,
                  &mSilent
                  );
  if (EFI_ERROR (Status)) {
    Refuse ("cannot install the console");
  }

  gST->ConsoleOutHandle    = Handle;
  gST->StandardErrorHandle = Handle;
  gST->ConOut              = &mSilent;
  gST->StdErr              = &mSilent;
  gST->Hdr.CRC32           = 0;
  gBS->CalculateCrc32 (gST, gST->Hdr.HeaderSize, &gST->Hdr.CRC32);
}
