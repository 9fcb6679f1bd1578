import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.distributed import (
    Processes,
    all_agree,
    barrier,
    gather_rows,
    joined_processes,
    main_first,
)

SCRIPT = Path(__file__).with_name("two_processes.py")
_spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(script)
close = {"rtol": 0, "atol": 1e-8}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What each of two processes saw, that torchrun started."""
    folder = tmp_path_factory.mktemp("pair")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr=127.0.0.1", "--nproc-per-node=2", str(SCRIPT), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **streams) as torchrun:
        try:
            output, _ = torchrun.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            # Asked kindly, it ends the processes that it started.
            torchrun.terminate()
            raise
    assert torchrun.returncode == 0, output
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.fixture(scope="module")
def alone():
    """What one process gets of the whole batch at once, by loss and labels."""
    cases = [case for case in script.CASES if case[-1] == 1]
    return {case[:2]: script.train(case, Processes()) for case in cases}


@pytest.mark.parametrize("case", script.CASES, ids=str)
class TestTwoProcessesAreAsGoodAsOne:
    def test_gradients(self, pair, alone, case):
        expected = alone[case[:2]]["gradients"]
        # What never gets a gradient would be equal without a word between the processes.
        assert max(gradient.abs().max() for gradient in expected.values()) > 1e-2
        for seen in pair:
            torch.testing.assert_close(seen["trained"][case]["gradients"], expected, **close)

    def test_weights_after_all_steps(self, pair, alone, case):
        expected = alone[case[:2]]["weights"]
        for seen in pair:
            torch.testing.assert_close(seen["trained"][case]["weights"], expected, **close)

    @pytest.mark.parametrize("key", ["loss", "accuracy"])
    def test_reports_average_to_the_whole(self, pair, alone, case, key):
        mean = (pair[0]["trained"][case][key] + pair[1]["trained"][case][key]) / 2
        torch.testing.assert_close(mean, alone[case[:2]][key], rtol=0, atol=1e-6)


def test_the_cases_differ(alone):
    """Else the labels, or the loss, would have been lost on the way."""
    first = [seen["loss"][0].item() for seen in alone.values()]
    assert len({round(value, 4) for value in first}) == len(first) == 4


class TestTwoProcesses:
    def test_know_each_other(self, pair):
        assert [seen["processes"] for seen in pair] == [(0, 2, 0), (1, 2, 1)]

    def test_rows_come_in_the_order_of_ranks(self, pair):
        for seen in pair:
            assert seen["rows"].tolist() == [[0, 10], [0, 20], [1, 10], [1, 20]]
            assert seen["columns"].tolist() == [[0, 0], [10, 20], [1, 1], [10, 20]]

    def test_one_yes_is_enough(self, pair):
        for seen in pair:
            assert seen["agreed"] == [False, True, True, True]

    def test_wait_for_what_the_main_one_does(self, pair):
        assert all(seen["main first"] for seen in pair)

    def test_part_at_the_end_and_after_an_error(self, pair):
        for seen in pair:
            assert seen["is left"]
            assert seen["is left after an error"]

    def test_can_join_again(self, pair):
        assert all(all(seen["joined again"]) for seen in pair)


@pytest.fixture
def torchrun(monkeypatch):
    """Return a function that sets what torchrun would, and nothing else of it."""

    def torchrun(**variables):
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return torchrun


class TestOneProcess:
    @pytest.mark.parametrize(
        "variables", [{}, {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}, {"RANK": "3"}]
    )
    def test_joins_nothing(self, torchrun, variables):
        torchrun(**variables)
        with joined_processes("cpu") as processes:
            assert processes == Processes(0, 1, 0)
            assert processes.is_main
            assert not dist.is_initialized()

    def test_has_nobody_to_talk_to(self):
        rows = torch.eye(3, requires_grad=True)
        assert torch.equal(gather_rows(rows, Processes()), torch.eye(3))
        assert not gather_rows(rows, Processes()).requires_grad
        assert all_agree(True, Processes(), "cpu") is True
        assert all_agree(False, Processes(), "cpu") is False
        barrier(Processes())
        done = []
        main_first(Processes(), lambda: done.append(True))
        assert done == [True]


class TestNonsense:
    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 but no RANK and LOCAL_RANK: start"),
            ({"WORLD_SIZE": "2", "RANK": "0"}, "no LOCAL_RANK: start training with torchrun"),
            (
                {"WORLD_SIZE": "two", "RANK": "0", "LOCAL_RANK": "0"},
                "RANK=0, WORLD_SIZE=two, LOCAL_RANK=0, not all numbers",
            ),
            ({"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}, "RANK=2.*count from 0 to"),
            ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "1"}, "LOCAL_RANK=1.*count from 0"),
            ({"WORLD_SIZE": "0", "RANK": "0", "LOCAL_RANK": "0"}, "WORLD_SIZE=0.*count from 0"),
            ({"WORLD_SIZE": "2", "RANK": "-1", "LOCAL_RANK": "-1"}, "RANK=-1.*count from 0"),
        ],
    )
    def test_environments(self, torchrun, variables, message):
        torchrun(**variables)
        with pytest.raises(TrainingError, match=message), joined_processes("cpu"):
            pass
        assert not dist.is_initialized()

    @pytest.mark.parametrize(
        ("device", "count", "message"),
        [
            ("cuda:1", 2, "Device 'cuda:1' was asked for in 4 processes.*device='cuda'"),
            ("cuda", 3, "Process 3 of this machine has no GPU, as torch finds 3.*node=3 or less"),
            ("cuda", 0, "torch finds 0: start torchrun with --nproc-per-node=1"),
        ],
    )
    def test_devices(self, torchrun, monkeypatch, device, count, message):
        torchrun(RANK="3", WORLD_SIZE="4", LOCAL_RANK="3")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        with pytest.raises(TrainingError, match=message), joined_processes(device):
            pass
        assert not dist.is_initialized()

    def test_builds_of_torch_for_one_process(self, torchrun, monkeypatch):
        torchrun(RANK="0", WORLD_SIZE="2", LOCAL_RANK="0")
        monkeypatch.setattr(dist, "is_available", lambda: False)
        with pytest.raises(TrainingError, match="cannot join 2 processes"), joined_processes("cpu"):
            pass
