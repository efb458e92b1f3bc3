#!/usr/bin/env python3
"""Writes the description of our platform (A3sBox.dsc, A3sBox.fdf) from that of Debian's AmdSevX64.

    platform.py EDK2 MODULES

EDK2 is the root of the unpacked and patched source; what is written goes beside AmdSevX64.dsc. MODULES
lists the modules to keep. Ends with status 1, and says why, when anything is not where it is expected:
a firmware is not built from a description that nobody has looked at.
"""

import re
import sys
from pathlib import Path

OWN = ["A3sBox/AcpiDxe/AcpiDxe.inf", "A3sBox/KernelDxe/KernelDxe.inf"]

# The processor's random numbers, for the kernel's layout. edk2 includes them together with the host's.
RNG = "SecurityPkg/RandomNumberGenerator/RngDxe/RngDxe.inf"
RNG_INCLUDES = {
    "dsc": "!include OvmfPkg/Include/Dsc/OvmfRngComponents.dsc.inc",
    "fdf": "!include OvmfPkg/Include/Fdf/OvmfRngDxe.fdf.inc",
}
RNG_COMPONENT = [f"  {RNG} {{", "    <LibraryClasses>", "      RngLib|MdePkg/Library/BaseRngLib/BaseRngLib.inf", "  }"]

# Suspending a machine needs state that the host keeps.
S3 = ("QemuFwCfgS3Lib/PeiQemuFwCfgS3LibFwCfg.inf", "QemuFwCfgS3Lib/BaseQemuFwCfgS3LibNull.inf")

# Whatever the host says is checked by assertions in many places, which a release build leaves out.
ASSERTIONS = [
    ("  GCC:RELEASE_*_*_CC_FLAGS             = -DMDEPKG_NDEBUG\n", ""),
    ("gEfiMdePkgTokenSpaceGuid.PcdDebugPropertyMask|0x2F", "gEfiMdePkgTokenSpaceGuid.PcdDebugPropertyMask|0x21"),
    ("gEfiMdePkgTokenSpaceGuid.PcdDebugPrintErrorLevel|0x8000004F", "gEfiMdePkgTokenSpaceGuid.PcdDebugPrintErrorLevel|0"),
]

# With pages of 2 MiB, the page tables of a terabyte take longer than all the rest of the firmware.
LARGE_PAGES = ("[PcdsFixedAtBuild]\n", "[PcdsFixedAtBuild]\n  gEfiMdeModulePkgTokenSpaceGuid.PcdUse1GPageTable|TRUE\n")

# Hashes kernel and initrd with the processor's instructions for SHA-256, where it has them.
HASHES = ("OpensslLib/OpensslLibCrypto.inf", "OpensslLib/OpensslLibAccel.inf")

MODULE = re.compile(r"^\s*(?:INF\s+)?(?:RuleOverride\s*=\s*\S+\s+)?([^\s|]+\.inf)\s*(\{?)\s*$")
STATEMENT = re.compile(r"^\s*(INF|FILE)\b")

# Holds the compressed volumes, and no module.
CONTAINER = "FV.FVMAIN_COMPACT"


class Unexpected(Exception):
    """The source is not as this was written for."""


def replace_once(text, old, new):
    if text.count(old) != 1:
        raise Unexpected(f"{old!r} is there {text.count(old)} times, not once")
    return text.replace(old, new)


def wanted_modules(text):
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def section(line):
    """The section that a line opens, without its brackets, or None."""
    match = re.match(r"^\[([^\]]+)\]", line)
    return match and match.group(1)


def keep_modules(lines, is_list, kept, seen):
    """Leaves out each module that is not kept, with its block, where `is_list` says modules are listed."""
    result, inside, block, dropping, conditions = [], False, False, False, 0
    for line in lines:
        text = line.strip()
        if block:
            block = text != "}"
            if not dropping and not text.startswith("!"):
                result.append(line)
            continue
        if section(line):
            inside = is_list(section(line))
        if not inside:
            result.append(line)
            continue
        if text.startswith("!"):
            conditions += text.startswith("!if") - text.startswith("!endif")
            continue
        match = MODULE.match(line)
        if not match:
            if STATEMENT.match(line) or (".inf" in text and not text.startswith("#")):
                raise Unexpected(f"a line that is no module: {text!r}")
            result.append(line)
            continue
        module, block = match.group(1), match.group(2) == "{"
        dropping = module not in kept
        if dropping:
            continue
        if conditions > 0:
            raise Unexpected(f"{module} is there under a condition")
        seen.add(module)
        result.append(line)
    if block or conditions != 0:
        raise Unexpected("a block or a condition does not end")
    return result


def required(seen, kept, where):
    missing = sorted(set(kept) - seen)
    if missing:
        raise Unexpected(f"{where} does not have {', '.join(missing)}")


def dsc(text, kept):
    """The platform: which modules there are, and which libraries they use."""
    replace_once(text, RNG_INCLUDES["dsc"], "")
    text = replace_once(text, "OvmfPkg/AmdSev/AmdSevX64.fdf", "OvmfPkg/AmdSev/A3sBox.fdf")
    text = replace_once(text, "PREBUILD                       = sh OvmfPkg/AmdSev/Grub/grub.sh\n", "")
    for old, new in [S3, LARGE_PAGES, HASHES, *ASSERTIONS]:
        text = replace_once(text, old, new)
    seen = set()
    lines = keep_modules(text.splitlines(), lambda name: name.startswith("Components"), kept, seen)
    required(seen, kept, "AmdSevX64.dsc")
    own = [f"  {module}" for module in OWN]
    return "\n".join(lines + RNG_COMPONENT + own) + "\n"


def fdf(text, kept):
    """The image: which modules lie in which of its volumes."""
    added = [RNG, *OWN]
    text = replace_once(text, RNG_INCLUDES["fdf"], "\n".join(f"INF {module}" for module in added))
    seen = set()
    is_volume = lambda name: name.startswith("FV.") and name != CONTAINER
    lines = keep_modules(text.splitlines(), is_volume, [*kept, *added], seen)
    required(seen, kept, "AmdSevX64.fdf")
    return "\n".join(lines) + "\n"


def main(edk2, modules):
    kept = wanted_modules(Path(modules).read_text())
    folder = Path(edk2) / "OvmfPkg/AmdSev"
    (folder / "A3sBox.dsc").write_text(dsc((folder / "AmdSevX64.dsc").read_text(), kept))
    (folder / "A3sBox.fdf").write_text(fdf((folder / "AmdSevX64.fdf").read_text(), kept))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Unexpected as error:
        sys.exit(f"platform.py: cannot describe the platform: {error}")
