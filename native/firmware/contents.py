#!/usr/bin/env python3
"""Checks that an image of the firmware holds exactly the modules that it is meant to hold.

    contents.py EDK2 MODULES IMAGE

platform.py describes which modules are built in; this looks at what came out. EDK2 is the root of the source, whose
INF files have the GUID of each module. MODULES is the list that platform.py reads. Ends with status 1, and says which,
when a module is missing, is there twice or is not in the list, and when anything in the image cannot be read.

Layout: Platform Initialization Specification 1.8, volume III, chapters 2 and 3.
"""

import importlib.util
import lzma
import re
import sys
from collections import Counter
from pathlib import Path

FILE_SYSTEM, VARIABLES = "8C8CE578-8A3D-4F1C-9935-896185C32DD3", "FFF12B8D-7696-4C8B-A985-2747075B4F50"
LZMA = "EE4E5898-3914-4259-9D6E-DC7BD79403CF"

# Files that are no modules: the order in which modules start, and the volumes within the compressed one.
APRIORI = {"1B45CC0A-156A-428A-AF62-49864DA0E6E6", "FC510EE7-FFDC-11D4-BD41-0080C73C8881"}
VOLUMES = "9E21FD93-9C72-4C15-8C4B-E77F1DB2D792"

FILE_FREEFORM, FILE_VOLUME, FILE_PAD = 0x02, 0x0B, 0xF0
SECTION_GUIDED, SECTION_VOLUME = 0x02, 0x17
LARGE_FILE = 0x01
PROCESSING_REQUIRED = 0x01


class Wrong(Exception):
    """The image is not what it is meant to be."""


def number(data, at, size):
    if at < 0 or at + size > len(data):
        raise Wrong(f"something ends early, at {at}")
    return int.from_bytes(data[at : at + size], "little")


def guid(data, at):
    if at + 16 > len(data):
        raise Wrong(f"a GUID ends early, at {at}")
    tail = data[at + 8 : at + 16].hex().upper()
    return f"{number(data, at, 4):08X}-{number(data, at + 4, 2):04X}-{number(data, at + 6, 2):04X}-{tail[:4]}-{tail[4:]}"


def volumes(data):
    """The volumes of an image: whatever lies between them is erased flash or data, and is not code that anything starts."""
    at = 0
    while (at := data.find(b"_FVH", at)) >= 0:
        start = at - 40
        length = number(data, start + 32, 8)
        if start < 0 or length < 56 or start + length > len(data):
            raise Wrong(f"a volume has no length, at {start}")
        yield data[start : start + length]
        at = start + length


def files(volume):
    """GUID, type and content of each file of a volume that has a file system."""
    extension = number(volume, 52, 2)
    at = number(volume, 48, 2)
    if extension:
        at = extension + number(volume, extension + 16, 4)
    while (at := (at + 7) & ~7) + 24 <= len(volume):
        if volume[at : at + 24] == b"\xff" * 24:
            if volume[at:].strip(b"\xff"):
                raise Wrong(f"something follows the last file of a volume, at {at}")
            return
        header, size = 24, number(volume, at + 20, 3)
        if volume[at + 19] & LARGE_FILE:
            header, size = 32, number(volume, at + 24, 8)
        if size < header or at + size > len(volume):
            raise Wrong(f"a file has no length, at {at}")
        yield guid(volume, at), volume[at + 18], volume[at + header : at + size]
        at += size


def sections(data):
    """Type and content of each section, with what a GUID says of it before the content."""
    at = 0
    while (at := (at + 3) & ~3) + 4 <= len(data):
        header, size = 4, number(data, at, 3)
        if size == 0xFFFFFF:
            header, size = 8, number(data, at + 4, 4)
        if size < header or at + size > len(data):
            raise Wrong(f"a section has no length, at {at}")
        yield data[at + 3], data[at + header : at + size], data[at : at + size]
        at += size


def is_file_system(volume):
    """Whether a volume has files. Another kind holds EFI variables: data that this firmware does not read."""
    kind = guid(volume, 16)
    if kind not in (FILE_SYSTEM, VARIABLES):
        raise Wrong(f"a volume of an unknown kind: {kind}")
    return kind == FILE_SYSTEM


def modules(volume):
    """GUIDs of all modules in a volume, and in the volumes within it."""
    if not is_file_system(volume):
        return
    for name, kind, content in files(volume):
        if kind == FILE_PAD:
            if content.strip(b"\xff"):
                raise Wrong("a file of padding holds something")
        elif kind == FILE_VOLUME:
            if name != VOLUMES:
                raise Wrong(f"the volumes of {name} are unknown")
            yield from inner(content)
        elif kind != FILE_FREEFORM or name not in APRIORI:
            yield name


def inner(content):
    for kind, body, whole in sections(content):
        if kind == SECTION_VOLUME:
            for volume in volumes(body):
                yield from modules(volume)
        elif kind == SECTION_GUIDED:
            start = number(body, 16, 2)
            if guid(body, 0) != LZMA or not number(body, 18, 2) & PROCESSING_REQUIRED:
                raise Wrong(f"a section is packed by {guid(body, 0)}")
            yield from inner(lzma.decompress(whole[start:], lzma.FORMAT_ALONE))
        elif body.strip(b"\0"):
            raise Wrong(f"a section of type {kind:#x} is not in a module")


def declared(path):
    """The GUID that an INF gives its module."""
    found = re.findall(r"^\s*FILE_GUID\s*=\s*([0-9A-Fa-f-]{36})\s*$", path.read_text(encoding='latin-1'), re.M)
    if len(found) != 1:
        raise Wrong(f"{path} has {len(found)} GUIDs, not one")
    return found[0].upper()


def platform():
    """platform.py, by another name: Python has a module of that name."""
    spec = importlib.util.spec_from_file_location("a3s_platform", Path(__file__).with_name("platform.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(edk2, wanted, image):
    names = {declared(Path(edk2) / module): module for module in wanted}
    if len(names) != len(wanted):
        raise Wrong("two modules of the list have one GUID")
    found = Counter(name for volume in volumes(image) for name in modules(volume))
    problems = [f"{names[name]} is missing" for name in names if not found[name]]
    problems += [f"{names.get(name, name)} is not in the list" for name in found if name not in names]
    problems += [f"{names.get(name, name)} is there {count} times" for name, count in found.items() if count > 1]
    if problems:
        raise Wrong("; ".join(sorted(problems)))


def main(edk2, modules_list, image):
    described = platform()
    wanted = described.wanted_modules(Path(modules_list).read_text()) + [described.RNG, *described.OWN]
    check(edk2, wanted, Path(image).read_bytes())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Wrong, lzma.LZMAError) as error:
        sys.exit(f"contents.py: the firmware does not hold what it should: {error}")
