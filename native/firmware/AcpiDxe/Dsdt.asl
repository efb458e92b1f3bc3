/** @file
  What the kernel has to know of the machine and cannot find out: where PCI devices may be, and how
  to power off. It has no operation region and no method, so nothing of it touches memory or ports.

  SPDX-License-Identifier: Apache-2.0
**/
DefinitionBlock ("", "DSDT", 2, "A3SBOX", "A3SGUEST", 1)
{
  Scope (\_SB)
  {
    Device (PCI0)
    {
      Name (_HID, EisaId ("PNP0A08"))
      Name (_CID, EisaId ("PNP0A03"))
      Name (_SEG, 0)
      Name (_BBN, 0)
      Name (_UID, 0)
      Name (_CRS, ResourceTemplate ()
      {
        WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0x0000, 0x00FF, 0, 0x0100)
        IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0CF7, 0, 0x0CF8)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
        // Between the highest memory that QEMU's q35 has below 4 GiB and the MMCONFIG area.
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
      })
    }
  }

  Name (\_S5, Package () { 0, 0, 0, 0 })
}
