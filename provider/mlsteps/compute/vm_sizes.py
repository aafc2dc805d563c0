"""What the sizes of Azure's virtual machines have, for compute targets that are told one of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from mlsteps.compute.resources import Resources
from mlsteps.exceptions import ComputeTargetException

_START = "STANDARD_"

# name cpu/memory in GiB/gpus; a line is a family. Where what Azure's pages and its API tell differs it is the
# smaller: a pod that asks for more than a node has never starts.
_TABLE = """
A1_V2 1/2 A2_V2 2/4 A4_V2 4/8 A8_V2 8/16 A2M_V2 2/16 A4M_V2 4/32 A8M_V2 8/64
D1_V2 1/3.5 D2_V2 2/7 D3_V2 4/14 D4_V2 8/28 D5_V2 16/56
D11_V2 2/14 D12_V2 4/28 D13_V2 8/56 D14_V2 16/112 D15_V2 20/140
DS1_V2 1/3.5 DS2_V2 2/7 DS3_V2 4/14 DS4_V2 8/28 DS5_V2 16/56
DS11_V2 2/14 DS12_V2 4/28 DS13_V2 8/56 DS14_V2 16/112 DS15_V2 20/140
F1 1/2 F2 2/4 F4 4/8 F8 8/16 F16 16/32 F1S 1/2 F2S 2/4 F4S 4/8 F8S 8/16 F16S 16/32
F2S_V2 2/4 F4S_V2 4/8 F8S_V2 8/16 F16S_V2 16/32 F32S_V2 32/64 F48S_V2 48/96 F64S_V2 64/128 F72S_V2 72/144
HC44RS 44/352 HB60RS 60/228 HB120RS_V2 120/456 HB120RS_V3 120/448
NC6 6/56/1 NC12 12/112/2 NC24 24/224/4 NC24R 24/224/4
NC6S_V2 6/112/1 NC12S_V2 12/224/2 NC24S_V2 24/448/4 NC24RS_V2 24/448/4
NC6S_V3 6/112/1 NC12S_V3 12/224/2 NC24S_V3 24/448/4 NC24RS_V3 24/448/4
NC4AS_T4_V3 4/28/1 NC8AS_T4_V3 8/56/1 NC16AS_T4_V3 16/110/1 NC64AS_T4_V3 64/440/4
NC24ADS_A100_V4 24/220/1 NC48ADS_A100_V4 48/440/2 NC96ADS_A100_V4 96/880/4
NC40ADS_H100_V5 40/320/1 NC80ADIS_H100_V5 80/640/2
ND6S 6/112/1 ND12S 12/224/2 ND24S 24/448/4 ND24RS 24/448/4 ND40RS_V2 40/672/8
ND96ASR_V4 96/900/8 ND96AMSR_A100_V4 96/1800/8 ND96ISR_H100_V5 96/1900/8
ND96ISR_H200_V5 96/1850/8
NV6 6/56/1 NV12 12/112/2 NV24 24/224/4 NV12S_V3 12/112/1 NV24S_V3 24/224/2 NV48S_V3 48/448/4
NV36ADS_A10_V5 36/440/1 NV72ADS_A10_V5 72/880/2
"""

# Families of which every size has the same memory for each processor: letter, what follows the number,
# version, GiB for each, numbers of processors.
_REGULAR = (
    ("D", ("", "S"), "3", 4, (2, 4, 8, 16, 32, 48, 64)),
    ("D", ("", "S", "D", "DS", "A", "AS"), "4", 4, (2, 4, 8, 16, 32, 48, 64)),
    ("D", ("", "S", "D", "DS", "AS", "ADS"), "5", 4, (2, 4, 8, 16, 32, 48, 64, 96)),
    ("D", ("S", "DS", "AS", "ADS"), "6", 4, (2, 4, 8, 16, 32, 48, 64, 96)),
    ("E", ("", "S"), "3", 8, (2, 4, 8, 16, 20, 32, 48)),
    ("E", ("", "S", "D", "DS", "A", "AS"), "4", 8, (2, 4, 8, 16, 20, 32, 48)),
    ("E", ("", "S", "D", "DS", "AS", "ADS"), "5", 8, (2, 4, 8, 16, 20, 32, 48, 64)),
    ("E", ("S", "DS", "AS", "ADS"), "6", 8, (2, 4, 8, 16, 20, 32, 48, 64)),
)


def vm_resources(size: str, further: Mapping[str, Mapping[str, Any]], where: str) -> Resources:
    """What a machine of this size has. Case does not matter, nor whether it begins with ``Standard_``.

    :param further: Sizes that the workspace adds or sees otherwise: name to ``cpu``, ``memory``, ``gpus``.
    :param where: What has this size, for errors.
    :raises ComputeTargetException: an unknown size; the text names some that are written alike.
    """
    own = {_normal(name): settings for name, settings in further.items()}
    wanted = _normal(size)
    if wanted in own:
        return Resources.from_settings(own[wanted], f"{where}, vm_sizes {size!r}")
    known = _known()
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, [*own, *known], n=3, cutoff=0.5)
    alike = f" Alike are {', '.join(_START + name for name in near)}." if near else ""
    raise ComputeTargetException(
        f"{where}: the vm_size {size!r} is unknown.{alike} The workspace's vm_sizes can add it: "
        f"vm_sizes: {{{size}: {{cpu: 4, memory: 16g, gpus: 0}}}}"
    )


def vm_size_names(further: Mapping[str, Any] | None = None) -> list[str]:
    """Every known size, as Azure writes it."""
    return sorted({_START + name for name in [*_known(), *map(_normal, further or {})]})


def _normal(size: str) -> str:
    return size.strip().upper().removeprefix(_START)


def _known() -> dict[str, Resources]:
    words = _TABLE.split()
    sizes = {name: _parsed(facts) for name, facts in zip(words[::2], words[1::2], strict=True)}
    for letter, kinds, version, memory, numbers in _REGULAR:
        for kind in kinds:
            for number in numbers:
                sizes[f"{letter}{number}{kind}_V{version}"] = _parsed(f"{number}/{number * memory}")
    return sizes


def _parsed(facts: str) -> Resources:
    cpu, memory, *gpus = facts.split("/")
    return Resources(cpu=int(cpu), memory=int(float(memory) * 2**30), gpus=int(gpus[0]) if gpus else 0)
