import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.errors import UnknownGPUError
from servespec.hardware import find
from servespec.hardware.catalogue import gpus

GIB = 2**30


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("H100-80GB", "H100-80GB"),
        ("h100", "H100-80GB"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB"),
        ("H100 PCIe", "H100-PCIe-80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("a100_sxm4_80gb", "A100-80GB"),
        ("NVIDIA L4", "L4-24GB"),
        ("Tesla T4", "T4-16GB"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090-24GB"),
        ("rtx4090", "RTX-4090-24GB"),
        ("NVIDIA RTX 2000 Ada Generation", "RTX-2000-Ada-16GB"),
        ("5060ti", "RTX-5060-Ti-16GB"),
        ("NVIDIA GB10", "DGX-Spark-128GB"),
        ("AMD Instinct MI300X", "MI300X-192GB"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100-80GB-MIG-1g.10gb"),
        ("A100-40GB-3g.20gb", "A100-40GB-MIG-3g.20gb"),
    ],
)
def test_a_gpu_is_found_by_every_way_that_people_and_drivers_write_it(spelling: str, name: str) -> None:
    assert find(spelling).name == name


@given(st.sampled_from(gpus()), st.randoms(use_true_random=False))
def test_case_spaces_and_dashes_make_no_difference(gpu, random) -> None:
    spelling = "".join(random.choice((c.lower(), c.upper())) for c in gpu.name).replace(
        "-", random.choice("- _")
    )
    assert find(spelling) == gpu


def test_no_two_gpus_share_a_name_or_alias() -> None:
    owners: dict[str, str] = {}
    for gpu in gpus():
        for spelling in {name.lower() for name in (gpu.name, *gpu.aliases)}:
            assert owners.setdefault(spelling, gpu.name) == gpu.name


@pytest.mark.parametrize("gpu", gpus(), ids=lambda gpu: gpu.name)
def test_a_row_says_what_the_budget_needs_and_where_it_is_from(gpu) -> None:
    assert gpu.kind in {"cuda", "rocm"}
    assert 4 * GIB < gpu.total_bytes < 300 * GIB
    assert gpu.driver_total_bytes == 0 or 0 <= gpu.driver_total_bytes - gpu.total_bytes < 8 * GIB
    assert 0 < gpu.used_bytes < GIB
    assert gpu.total_spread_bytes < 0.03 * gpu.total_bytes
    assert gpu.fp16_flops > 0
    assert gpu.bandwidth_bytes_per_second > 0
    assert gpu.source


def test_engines_see_what_was_measured() -> None:
    assert find("H200-141GB").total_bytes == pytest.approx(150_109_880_320, abs=2**20)
    assert find("H100-80GB").total_bytes == pytest.approx(85_017_493_504, abs=2**20)


# Totals in GiB that engines printed at start (public logs of vLLM and TGI, and own runs), lowest and highest.
PRINTED_TOTALS = {
    "T4-16GB": (14.62, 14.74),
    "L4-24GB": (22.03, 22.09),
    "L40S-48GB": (44.42, 44.42),
    "A10-24GB": (22.03, 22.09),
    "A6000-48GB": (47.40, 47.50),
    "RTX-6000-Ada-48GB": (47.40, 47.50),
    "A100-40GB": (39.38, 39.50),
    "A100-80GB": (79.15, 79.32),
    "H100-80GB": (79.15, 79.22),
    "H100-NVL-94GB": (93.02, 93.02),
    "H200-141GB": (139.72, 139.81),
    "RTX-3090-24GB": (23.56, 23.58),
    "RTX-4090-24GB": (23.52, 23.52),
    "RTX-5090-32GB": (31.40, 31.40),
    "RTX-PRO-4500-32GB": (31.38, 31.38),
    "RX-7900-GRE-16GB": (15.98, 15.98),
    "MI300X-192GB": (191.98, 191.98),
    "DGX-Spark-128GB": (121.60, 121.69),
}


@pytest.mark.parametrize("name", PRINTED_TOTALS)
def test_printed_totals_lie_within_the_spread(name: str) -> None:
    gpu, (lowest, highest) = find(name), PRINTED_TOTALS[name]
    rounding = 0.005 * GIB
    assert gpu.total_bytes - gpu.total_spread_bytes <= lowest * GIB + rounding
    assert gpu.total_bytes + gpu.total_spread_bytes >= highest * GIB - rounding


def test_an_unknown_gpu_names_the_nearest_one() -> None:
    with pytest.raises(UnknownGPUError, match=r"did you mean 'H100-80GB'") as error:
        find("H10O-80GB")
    assert error.value.nearest == "H100-80GB"
    with pytest.raises(UnknownGPUError) as error:
        find("abacus")
    assert error.value.nearest is None


def test_the_user_s_own_figure_replaces_the_catalogue_s() -> None:
    gpu = find("A100", memory_gib=79.5)
    assert gpu.total_bytes == round(79.5 * GIB)
    assert gpu.total_spread_bytes == 0


def test_a_cpu_has_the_memory_that_the_spec_says_and_no_other() -> None:
    assert find("cpu").is_cpu
    assert find("cpu").total_bytes == 0
    assert find("CPU", memory_gib=64).total_bytes == 64 * GIB
